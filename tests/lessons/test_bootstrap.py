"""The first cell: it fetches and installs on Colab and Kaggle, leaves JAX alone there, and does nothing elsewhere."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lessons import bootstrap

PROTECTED = [
    "jax>=999",
    "jaxlib>=999",
    "flax>=999",
    "libtpu>=1",
    "libtpu-nightly",
    "jax-cuda12-plugin",
    "Jax_CUDA12_pjrt",
]


class Recorder:
    """In place of pip: remembers each command, and pretends that what it asked for then exists."""

    def __init__(self, monkeypatch, requires: dict[str, list[str]]):
        self.commands, self.present = [], set()
        monkeypatch.setattr(bootstrap, "_version", lambda name: "1.0" if name in self.present else None)
        monkeypatch.setattr(metadata, "requires", requires.get)

    def __call__(self, command):
        assert command[1:6] == ["-m", "pip", "install", "--quiet", "--no-deps"]
        self.commands.append(command[6:])
        self.present |= {requirement.split(">")[0] for requirement in command[6:]}


def test_nothing_is_installed_when_all_is_there():
    def refuse(command):
        raise AssertionError(command)

    assert bootstrap.install_missing(["numpy>=2.1", "pytest>=999"], refuse) == []


def test_the_images_own_jax_is_never_installed_missing_or_old(monkeypatch):
    pip = Recorder(monkeypatch, {})
    assert bootstrap.install_missing([*PROTECTED, "optax>=0.2"], pip) == ["optax>=0.2"]
    assert pip.commands == [["optax>=0.2"]]


def test_what_a_newcomer_requires_follows_without_its_extras_and_without_jax(monkeypatch):
    requires = {
        "datasets": ["promise", "numpy>=2", 'heavy; extra == "dev"', 'old; python_version < "3"', *PROTECTED],
        "promise": ["six>=1", "datasets"],
    }
    pip = Recorder(monkeypatch, requires)
    pip.present = {"numpy"}
    bootstrap.install_missing(["datasets>=4"], pip)
    assert pip.commands == [["datasets>=4"], ["promise"], ["six>=1"]]


def test_a_package_that_pip_cannot_provide_is_asked_for_once(monkeypatch):
    monkeypatch.setattr(bootstrap, "_version", lambda name: None)
    assert bootstrap.install_missing(["absent"], lambda command: None) == ["absent"]


@pytest.mark.parametrize(
    ("environment", "device", "expected"),
    [
        ({}, None, None),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, None, None),
        ({}, "nvidia0", "GPU"),
        ({}, "accel0", "TPU"),
        ({"TPU_NAME": "local"}, None, "TPU"),
        ({"TPU_ACCELERATOR_TYPE": "v5litepod-8"}, None, "TPU"),
        ({"COLAB_TPU_ADDR": "10.0.0.2:8470"}, "nvidiactl", "TPU"),
    ],
)
def test_what_a_machine_says_it_has(tmp_path, environment, device, expected):
    if device:
        (tmp_path / device).touch()
    assert bootstrap.expected_accelerator(environment, tmp_path) == expected


def test_an_accelerator_that_jax_does_not_see_is_an_error():
    bootstrap.check_accelerator(None, "cpu")
    bootstrap.check_accelerator("TPU", "tpu")
    with pytest.raises(RuntimeError, match=r"has a TPU, but JAX sees only the CPU.*jax, jaxlib, flax or libtpu"):
        bootstrap.check_accelerator("TPU", "cpu")


@pytest.mark.parametrize("source", ["", "https://example.org/course.git"])
def test_the_cell_is_written_from_pyproject(tmp_path, source):
    urls = f'urls.Source = "{source}"\n' if source else ""
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "course-one"\n{urls}')
    assert f'address, clone = "{source}", Path("course-one").resolve()' in bootstrap.cell(tmp_path)
    compile(bootstrap.cell(tmp_path), "cell", "exec")


def git(*arguments: str, cwd: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture
def published(tmp_path):
    """A course in a local git repository, whose pyproject asks for one package that nobody has, and a JAX too new."""
    course = tmp_path / "published"
    (course / "lessons").mkdir(parents=True)
    for name in ("__init__.py", "bootstrap.py"):
        shutil.copy(bootstrap.ROOT / "lessons" / name, course / "lessons")
    needs = [*PROTECTED, "numpy>=2", "no-such-package>=1"]
    (course / "pyproject.toml").write_text(
        f'[project]\nname = "course"\ndependencies = {needs}\nurls.Source = "{course.as_uri()}"\n'
    )
    git("init", "--quiet", cwd=course)
    git("add", ".", cwd=course)
    git("commit", "--quiet", "-m", "A course", cwd=course)
    return course


def run_cell(cell: str, folder: Path, tmp_path: Path, colab: bool = False, **environment: str):
    """Run the cell in a new Python in `folder`, with a pip that only writes down what it is asked for."""
    fakes = tmp_path / "fakes"
    (fakes / "pip").mkdir(parents=True, exist_ok=True)
    (fakes / "pip" / "__init__.py").touch()
    (fakes / "pip" / "__main__.py").write_text(
        f"import sys\nwith open({str(tmp_path / 'pip.log')!r}, 'a') as log: print(*sys.argv[1:], file=log)\n"
    )
    for module in ("google/colab/__init__", "google/colab/output", "IPython/__init__", "IPython/display") if colab else ():
        (fakes / f"{module}.py").parent.mkdir(parents=True, exist_ok=True)  # JAX itself asks a Colab for all of them
        (fakes / f"{module}.py").touch()
    hosts = ("COLAB_", "KAGGLE_", "TPU_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(hosts)}
    clean |= {"PYTHONPATH": str(fakes), "JAX_PLATFORMS": "cpu", **environment}
    program = ("import google.colab\n" if colab else "") + cell
    return subprocess.run([sys.executable, "-c", program], cwd=folder, env=clean, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["colab module", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_a_hosted_notebook_fetches_the_course_and_installs_only_what_is_missing(published, tmp_path, host):
    content = tmp_path / "content"
    content.mkdir()
    environment = {} if host == "colab module" else {host: "x"}
    done = run_cell(bootstrap.cell(published), content, tmp_path, colab=host == "colab module", **environment)
    assert done.returncode == 0, done.stderr
    assert (content / "course" / "lessons" / "bootstrap.py").exists()
    assert (tmp_path / "pip.log").read_text() == "install --quiet --no-deps no-such-package>=1\n"
    assert "the course was tested with >=999. Left as it is." in done.stdout
    assert "× cpu (cpu); a first jitted function ran." in done.stdout


@pytest.mark.slow
def test_a_chip_that_jax_does_not_see_stops_the_lesson(published, tmp_path):
    done = run_cell(bootstrap.cell(published), published, tmp_path, COLAB_RELEASE_TAG="x", TPU_NAME="local")
    assert done.returncode == 1 and "RuntimeError: This machine has a TPU, but JAX sees only the CPU." in done.stderr
    assert not (published / "course").exists(), "inside a clone nothing is fetched"


@pytest.mark.slow
def test_elsewhere_the_cell_does_nothing_but_find_the_course(published, tmp_path):
    before = sorted(published.rglob("*.*"))
    cell = bootstrap.cell(published) + "\nassert 'jax' not in sys.modules\nassert bootstrap.ROOT == root"
    done = run_cell(cell, published / "lessons", tmp_path, PYTHONDONTWRITEBYTECODE="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(published.rglob("*.*")) == before and not (tmp_path / "pip.log").exists()


@pytest.mark.slow
def test_outside_any_course_the_cell_says_where_it_is(published, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run_cell(bootstrap.cell(published), empty, tmp_path)
    assert done.returncode == 1 and f"Open this notebook inside its course: {published.as_uri()}." in done.stderr
    assert list(empty.iterdir()) == []
