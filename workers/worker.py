"""A worker process: RQ's SimpleWorker over one App, the dispatcher and the rules beside it."""

import sys
import time

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested

from bot.logs import logger
from bot.settings import Settings
from workers.dispatcher import QUEUE, Dispatcher
from workers.host import Host
from workers.rules import Rules

_log = logger("worker")


def run_worker(settings: Settings, redis_url: str) -> int:
    """Work until SIGTERM or SIGINT; finishes the job that runs. Returns the exit code."""
    host = Host(settings, redis_url)
    host.open()
    redis = Redis.from_url(redis_url)
    dispatcher, rules = (
        Dispatcher(host.app.store, redis, lambda: host.app.unlearned, lambda: bool(host.app.library.lacks)),
        Rules(host.app.runtime),
    )
    dispatcher.open()
    rules.open()
    try:
        while not _work(redis):
            time.sleep(1)
    except StopRequested:
        pass  # while it waited for a queue that is away
    finally:
        rules.close()
        dispatcher.close()
        host.close()
    return 0


class _Worker(SimpleWorker):
    """Looks for a queue that went away every few seconds, not every minute."""

    max_connection_wait_time = 4.0


def _work(redis: Redis) -> bool:
    """Work jobs off; True when a signal asked to stop, False when Redis went away."""
    try:
        worker = _Worker([Queue(QUEUE, connection=redis)], connection=redis)
        worker.work(with_scheduler=False, logging_level="WARNING")
    except (RedisError, OSError) as error:
        _log.warning("queue_away", error=str(error))
        return False
    # RQ's own `_stop_requested` tells of a job that is to finish first; a worker without one ends at once.
    return worker._shutdown_requested_date is not None


def main() -> None:
    """Entry of the process that `samvad up` starts."""
    from bot.logs import configure
    from bot.settings import load_settings

    settings = load_settings()
    configure(settings.log_level)
    sys.exit(run_worker(settings, settings.redis_url))


if __name__ == "__main__":
    main()
