"""Batches as a user runs them: the true command, true kernels, a server that counts."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from servers.batches import ASK, BatchFolder, text_of, write_batch_notebook
from servers.boxed import boxed_models
from servers.counting import CountingServer
from servers.recorded import RecordedServer

pytestmark = pytest.mark.timeout(240)


def wait_until(holds: object, seconds: float = 90) -> None:
    assert callable(holds)
    give_up = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.05)


def kernels_of(driver: int) -> list[psutil.Process]:
    return psutil.Process(driver).children(recursive=True)


def kill_all(driver: "subprocess.Popen[str]") -> None:
    """Kill driver and kernels at once, as a machine that goes down does."""
    kernels = kernels_of(driver.pid)
    driver.kill()
    for kernel in kernels:
        kernel.kill()
    driver.communicate()
    psutil.wait_procs(kernels, timeout=10)


def test_a_wider_grid_sends_only_what_is_new(
    folder: BatchFolder, server: RecordedServer
) -> None:
    folder.run("-p", "model=openai/large", "-p", "limit=5")
    before = server.calls.total()

    ended = folder.run("-p", "model=openai/large", "-p", "limit=5,20", "--json")

    assert ended.returncode == 0, ended.stderr
    assert before == 5
    assert server.calls.total() == 5 + 20
    assert len(folder.outputs()) == 2, "the first is called otherwise by now"
    told = json.loads(ended.stdout)
    assert len(told["experiment_ids"]) == 2, "what asks otherwise is another one"
    assert len({run["run_id"] for p in told["points"] for run in p["runs"]}) == 2


@pytest.fixture(scope="module")
def boxed() -> Iterator[str]:
    with boxed_models() as base_url:
        yield base_url


def test_twelve_points_killed_at_forty_percent_pay_for_nothing_twice(
    tmp_path: Path, boxed: str
) -> None:
    samples, in_flight = 12 * 20, 2 * 4
    words = ("-p", "model=embedded/small,embedded/mini,embedded/calculator", "-p")
    words += ("temperature=0,0.2,0.5,1", "--jobs", "2", "--json")
    with CountingServer(boxed, delay=0.02) as server:
        folder = BatchFolder(tmp_path, AISTRALE_EMBEDDED_URL=server.base_url)
        folder.add_questions({f"Add {n} and 1.": str(n + 1) for n in range(20)})
        driver = folder.begin(*words)
        wait_until(lambda: server.ended >= 0.4 * samples)
        kill_all(driver)
        sent = server.calls
        ended = folder.run(*words)

        assert 0.4 * samples <= sent < samples
        assert ended.returncode == 0, ended.stderr
        assert samples <= server.calls <= samples + in_flight
    told = json.loads(ended.stdout)
    runs = [run for point in told["points"] for run in point["runs"]]
    assert [(run["completed"], run["failed"]) for run in runs] == [(20, 0)] * 12
    assert len(folder.outputs()) == 12 and folder.leftovers() == []


def test_an_interrupt_stops_cleanly_and_the_same_command_goes_on(
    folder: BatchFolder, server: RecordedServer
) -> None:
    server.delay = 0.5
    server.notice_at = 12
    words = ("-p", "model=openai/large,openai/small", "--jobs", "2")
    driver = folder.begin(*words)
    assert server.reached.wait(90)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    stopped = server.calls.total()
    server.delay = 0.0
    ended = folder.run(*words)

    assert driver.returncode == 130, said
    assert stopped < 40, "the runs of the kernels that were at work stopped too"
    assert ended.returncode == 0, ended.stderr
    assert server.calls.total() <= 40 + 8
    assert len(folder.outputs()) == 2 and folder.leftovers() == []


def test_a_kernel_that_is_killed_fails_its_point_which_then_goes_on(
    folder: BatchFolder, server: RecordedServer
) -> None:
    server.delay = 0.3
    server.notice_at = 6
    driver = folder.begin("-p", "model=openai/large")
    assert server.reached.wait(90)
    for kernel in kernels_of(driver.pid):
        kernel.kill()
    _, said = driver.communicate(timeout=60)
    (notebook,) = folder.outputs().values()
    server.delay = 0.0
    ended = folder.run("-p", "model=openai/large", "--json")

    assert driver.returncode == 3, said
    assert "the kernel died in cell 3" in said
    assert notebook["metadata"]["aistrale"]["status"] == "failed"
    assert ended.returncode == 0, ended.stderr
    assert server.calls.total() <= 20 + 4
    assert json.loads(ended.stdout)["points"][0]["runs"][0]["completed"] == 20


def test_a_notebook_that_runs_nothing_in_the_store_is_not_done(
    folder: BatchFolder,
) -> None:
    write_batch_notebook(folder.notebook, "print('nothing asked')")

    ended = folder.run()

    assert ended.returncode == 3
    assert "ran nothing in the batch's store" in ended.stderr


KEY = "sk-planted-0123456789abcdef"
OTHER = "very-own-key-without-a-known-shape"


def test_no_key_reaches_notebook_store_or_log(
    tmp_path: Path, server: RecordedServer
) -> None:
    folder = BatchFolder(
        tmp_path,
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=server.base_url,
        OWN_KEY=OTHER,
    )
    folder.add_questions({"What is 1 + 1?": "2"})
    settings = f'[providers.own]\nbase_url = "{server.base_url}"\n'
    settings += 'api_key_env = "OWN_KEY"\n'
    for place in (folder.folder, folder.notebook.parent):
        (place / "aistrale.toml").write_text(settings)
    leak = "import os\nprint(os.environ['OWN_KEY'], os.environ['OPENAI_API_KEY'])"
    shown = "from IPython.display import HTML\nHTML(os.environ['OWN_KEY'])"
    fails = "raise RuntimeError(os.environ['OWN_KEY'])"
    write_batch_notebook(folder.notebook, ASK, leak, shown, fails)

    ended = folder.run("-p", "model=own/large,openai/large")

    (folder.folder / "said").write_text(ended.stdout + ended.stderr)
    settings_files = {"aistrale.toml"}
    found = [
        path
        for path in folder.folder.rglob("*")
        if path.is_file() and path.name not in settings_files
        if KEY.encode() in path.read_bytes() or OTHER.encode() in path.read_bytes()
    ]
    assert ended.returncode == 3, "the last cell raises"
    assert "[redacted]" in text_of(folder.outputs()["own-large"]["cells"])
    assert found == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", f"api_key={KEY}"), "is named like a key"),
        (("-p", f"model={KEY}"), "looks like one"),
        (("-p", "hf_token=abc"), "is named like a key"),
        (("-p", "modle=openai/large"), "its parameters: limit, model, temperature"),
        (("-p", "temperature=hot"), "takes a float, not 'hot'"),
        (("-p", "limit=2.5"), "takes a int, not 2.5"),
        (("-p", "limit"), "is no KEY=VALUE"),
        (("-p", "limit=1,1"), "two points have the same parameters"),
        (("--require", "number"), "is no gate"),
    ],
)
def test_what_cannot_be_is_refused_before_a_kernel_starts(
    folder: BatchFolder, words: tuple[str, ...], said: str
) -> None:
    ended = folder.run(*words)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert KEY not in ended.stderr
    assert not folder.out.exists() or not list(folder.out.iterdir())


def test_the_parameters_of_a_notebook_are_told(folder: BatchFolder) -> None:
    ended = folder.run("--help-parameters")

    assert ended.returncode == 0
    assert "  temperature: float = 0.0     how much chance there is" in ended.stdout


def test_two_drivers_do_not_share_a_batch(
    folder: BatchFolder, server: RecordedServer
) -> None:
    server.delay, server.notice_at = 3.0, 1
    driver = folder.begin("-p", "model=openai/large")
    assert server.reached.wait(90)
    second = folder.run("-p", "model=openai/large")
    driver.send_signal(signal.SIGTERM)
    driver.communicate(timeout=60)

    assert second.returncode == 5
    assert "is being driven by process" in second.stderr
    assert driver.returncode == 143


def test_a_full_disk_leaves_no_half_notebook(
    folder: BatchFolder, server: RecordedServer
) -> None:
    """The folder of the notebooks is a small file system of its own."""
    folder.out.mkdir()
    large = "print('x' * 100_000, flush=True)"
    write_batch_notebook(folder.notebook, ASK, large)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder.out)]
    if os.geteuid() != 0 or subprocess.run(mount).returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        ended = folder.run("-p", "model=openai/large")
        left = list(folder.out.iterdir())
    finally:
        subprocess.run(["umount", str(folder.out)], check=True)
    again = folder.run("-p", "model=openai/large")

    assert ended.returncode == 5, ended.stderr
    assert "No space left on device" in ended.stderr
    assert left == []
    assert again.returncode == 0, again.stderr
    assert server.calls.total() == 20
