/** What happens elsewhere: the server names what changed, and the parts on screen are fetched again. */
import { chosen } from "./list.js";
import { nearBottom, toBottom } from "./merge.js";

const line = document.getElementById("line");
const waiting = new Map();
let late = 0;

/** Fetch a part of the page again; a burst of news is one fetch. */
function refresh(selector) {
  if (waiting.has(selector)) return;
  waiting.set(selector, setTimeout(() => {
    waiting.delete(selector);
    const part = document.querySelector(selector);
    if (part) window.htmx.trigger(part, "refresh");
  }, 60));
}

let hush = 0;
/** The customer is writing; each word of it counts for a few seconds. */
function showTyping(is) {
  const line = document.getElementById("typing");
  if (!line) return;
  clearTimeout(hush);
  line.hidden = !is;
  if (is) hush = setTimeout(() => { line.hidden = true; }, 6000);
  if (is && nearBottom()) toBottom();
}

const stream = new EventSource("/console/live");
stream.addEventListener("ready", () => {
  clearTimeout(late);
  line.hidden = true;
});
stream.onerror = () => {
  clearTimeout(late);
  late = setTimeout(() => { line.hidden = false; }, 3000);
  // A refusal ends the stream for good: perhaps the session ran out, perhaps a role changed.
  if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
};
stream.onmessage = (event) => {
  const news = JSON.parse(event.data);
  const open = chosen();
  if (open && news.typing.includes(open)) showTyping(true);
  else if (open && news.conversations.includes(open)) showTyping(false);
  if (news.listed || news.everything) refresh("#list");
  if (open && (news.everything || news.conversations.includes(open))) refresh("#messages");
  const contact = document.getElementById("panel")?.dataset.contact;
  if (contact && (news.everything || news.contacts.includes(contact) || news.conversations.includes(open))) refresh("#panel");
  if (news.notifications || news.everything) refresh("#bell");
  if (news.articles || news.everything) refresh("#meanwhile");
  if (news.listed || news.notifications || news.everything) refresh("#parked-count");
};
// The list of what did not go through stays as it is under the pointer until there is more or less of it.
document.addEventListener("htmx:afterSwap", (event) => {
  const list = document.querySelector("#parked [data-waiting]");
  const count = document.querySelector("#parked-count [data-waiting]");
  if (event.target.id === "parked-count" && list && list.dataset.waiting !== count.dataset.waiting) refresh("#parked");
});
