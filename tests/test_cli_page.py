"""docs/cli.md: its commands, run one after the other, print what the page shows."""

import re
import shlex
from pathlib import Path

import pytest

from cli_tables import run

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)


def commands(page):
    """Pairs of a command and the output that is shown."""
    for language, text in BLOCK.findall(page):
        if language == "console":
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                command, _, shown = part.partition("\n")
                yield shlex.split(command), shown.strip()


def alike(said, shown):
    """Whether texts are the same, but for numbers: networks differ a little by machine."""
    if shown.startswith("...\n"):
        shown = shown.removeprefix("...\n").lstrip()
        said = said[said.index(NUMBER.split(shown)[0]) :]
    found, expected = (list(map(float, NUMBER.findall(text))) for text in (said, shown))
    return NUMBER.sub("#", said).split() == NUMBER.sub("#", shown).split() and (
        found == pytest.approx(expected, rel=0.5, abs=10)
    )


@pytest.mark.slow
def test_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    (script,) = (text for language, text in BLOCK.findall(page) if language == "python")
    exec(script, {})
    ran = []
    for (program, *arguments), shown in commands(page):
        assert program == "wbce"
        done = run(*arguments)
        ran.append(arguments[0])
        if shown:
            assert alike(done.out + done.err, shown), f"{arguments}\n{done.out}{done.err}"
        else:
            assert done.status == 0, done.err
    assert {*ran} == {"fit", "predict", "evaluate", "report", "tune"}
    assert (tmp_path / "predictions.csv").read_text().startswith("sample_id,probability,")


def test_the_commands_in_the_text_exist():
    """Options that the page names are options of a command."""
    helps = "".join(run(command, "--help").out for command in ("fit", "predict", "report", "tune"))
    helps += run("evaluate", "--help").out
    options = set(re.findall(r"`[^`\n]*?(--[a-z-]+)", PAGE.read_text())) - {"--help"}
    assert len(options) > 15
    assert not {option for option in options if option not in helps}
