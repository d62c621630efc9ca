"""A business's own flows over the API: drafted, checked, published, gone back to, retired."""

import asyncio
from pathlib import Path

from tests.support.world import World, samvad

CASE = (Path(__file__).parents[2] / "bot/dialogs/flows/open_case.yaml").read_text("utf-8")
NEXT = CASE.replace("  - say: case.opened", "  - say: case.opened\n  - say: courtesy.fine")


async def _serves(world: World, steps: int) -> None:
    for _ in range(1000):
        if len(world.app.runtime.flows["open_case"].steps) == steps:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the flow is not served")


async def test_a_flow_from_draft_to_retirement(tmp_path: Path) -> None:
    async with samvad(tmp_path, articles=False) as world:
        call = world.api.call
        assert await call("POST", "flows/check", {"source": NEXT}) == (200, {"errors": [], "warnings": []})
        status, draft = await call("POST", "flows", {"source": NEXT})
        assert (status, draft["name"], draft["number"], draft["state"]) == (200, "open_case", 2, "draft")
        status, again = await call("POST", "flows", {"source": NEXT + "\n"})
        assert again["id"] == draft["id"] and again["source"] == NEXT + "\n"
        status, published = await call("POST", f"flows/{draft['id']}/publish")
        assert status == 200 and published["state"] == "published"
        await _serves(world, 4)

        # An earlier version is served again, then the one that ships.
        status, third = await call("POST", "flows", {"source": CASE})
        await call("POST", f"flows/{third['id']}/publish")
        await _serves(world, 3)
        assert (await call("POST", f"flows/{draft['id']}/publish"))[1]["state"] == "published"
        await _serves(world, 4)
        status, retired = await call("POST", f"flows/{draft['id']}/retire")
        assert (status, retired["state"]) == (200, "retired")
        await _serves(world, 3)
        states = {row["number"]: row["state"] for row in await world.api.rows("flow-versions")}
        assert states == {2: "retired", 3: "retired"}


async def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    async with samvad(tmp_path, articles=False) as world:
        call = world.api.call
        broken = NEXT.replace("say: courtesy.fine", "goto: nowhere")
        line = 1 + broken[: broken.index("goto: nowhere")].count("\n")
        _, found = await call("POST", "flows/check", {"source": broken})
        assert [row["line"] for row in found["errors"]] == [line]
        assert "there is no step nowhere" in found["errors"][0]["says"]
        poor = CASE + "  - goto: end\n  - say: courtesy.fine\n"
        _, found = await call("POST", "flows/check", {"source": poor})
        assert found["errors"] == [] and "no step leads here" in found["warnings"][0]["says"]
        _, draft = await call("POST", "flows", {"source": broken})
        status, refused = await call("POST", f"flows/{draft['id']}/publish")
        assert status == 400
        assert refused["problems"] == [f"{line}: there is no step nowhere; the end is `end`"]
        for source in ("", "name: [", "[" * 90_000, "x" * 100_001):
            status, refused = await call("POST", "flows", {"source": source})
            assert status == 400 and refused["field"] == "source", (status, refused)
        assert (await call("POST", "flows/no-such-id/publish"))[0] == 404
        assert (await call("POST", "flows/01890a5d-ac96-774b-bcce-b302099a8057/retire"))[0] == 404


async def test_the_review_is_that_of_the_model_in_use(tmp_path: Path) -> None:
    async with samvad(tmp_path, articles=False) as world:
        status, review = await world.api.call("GET", "flows/review")
        assert status == 200 and len(review["weak"]) > 3
        likely = [row["likely"] for row in review["weak"]]
        assert likely == sorted(likely)
        pairs = {(row["flow"], row["taken_for"]) for row in review["confused"]}
        assert {(row["flow"], row["taken_for"]) for row in review["weak"]} <= pairs
        own = "name: rare\nversion: 1\ndescription: d\nexamples: {en: [lend me a ladder]}\n"
        own += "steps: [{say: courtesy.fine}]\n"
        _, draft = await world.api.call("POST", "flows", {"source": own})
        await world.api.call("POST", f"flows/{draft['id']}/publish")
        async with asyncio.timeout(60):
            while {"flow": "rare", "examples": 1} not in review["few"]:
                await asyncio.sleep(0.05)
                _, review = await world.api.call("GET", "flows/review")
