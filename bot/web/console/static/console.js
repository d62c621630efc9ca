/** The console's own behaviour, one module a subject; htmx does the fetching. */
import "./merge.js";
import "./list.js";
import "./composer.js";
import "./live.js";
import "./page.js";
import "./attach.js";
import "./picker.js";
import "./records.js";
import "./lookup.js";
import "./seek.js";
import "./board.js";
import "./rules.js";
import "./flows.js";
import "./articles.js";
