"""The whole model comes from a real worker, through the real queue, while messages are answered."""

import shutil
from pathlib import Path

import pytest

from bot.embedded import EmbeddedValkey, worker_child
from bot.testing import WhatsAppEmulator
from tests.dialogs.test_shelf import trainings, until
from tests.support.world import MODELS, samvad, trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


async def test_words_answer_until_a_worker_has_learned_the_rest(tmp_path: Path) -> None:
    models = tmp_path / "data" / "models"
    models.mkdir(parents=True)
    shutil.copy(trained(), models)
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    try:
        await valkey.wait_ready()
        async with (
            WhatsAppEmulator() as emulator,
            samvad(tmp_path / "data", redis_url=valkey.url, embeddings=True, **emulator.settings) as world,
        ):
            emulator.target = world.url
            assert world.app.unlearned
            await emulator.say("kitne baje khulta hai", sender="919876500001")
            await emulator.wait_reply("919876500001", 1)
            worker = worker_child(world.app.settings, valkey.url)
            worker.start()
            try:
                await until(lambda: trainings(models))
                assert worker._process is not None
                worker._process.kill()  # in the middle of it
                worker._process.wait()
                await until(lambda: not trainings(models))
                assert not list(models.glob("meaning-*.npz")) and world.app.unlearned
                worker.start()
                await until(lambda: not world.app.unlearned, seconds=600)
            finally:
                worker.stop()
            assert world.app.understanding.model.meaning is not None
            await emulator.say("my cooler makes a strange sound", sender="919876500002")
            await emulator.wait_reply("919876500002", 1)
            await emulator.settle()
            shutil.copy(models / "embeddings.npz", MODELS)  # the next slow run has them
    finally:
        valkey.stop()
