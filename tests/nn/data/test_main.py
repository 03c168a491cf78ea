import pytest

from nn.data import OURS, is_prepared
from nn.data.__main__ import main
from nn.data.catalogue import BUILDERS
from nn.data.packages import PACKAGES


def rows_of(listed):
    """The lines of the table, by the name they begin with."""
    lines = listed.split("\n\n")[1].splitlines()
    return {line.split()[0]: line for line in lines[1:] if line[0] != " "}


def test_the_list_cuts_no_name_on_a_narrow_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", "--data-dir", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert rows_of(listed).keys() == set(BUILDERS) and "…" not in listed
    assert max(map(len, listed.split("\n\n", 1)[1].splitlines())) <= 80
    assert all(f"{name} (not prepared)" in " ".join(listed.split()) for name in PACKAGES)


def test_the_list_tells_what_is_prepared(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["prepare", "digits", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("digits: prepared in ")
    assert main(["list", "--data-dir", str(tmp_path)]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows.keys() == set(OURS) == set(BUILDERS)
    assert "year, value" in rows["co2"] and "430" in rows["co2"] and "public domain" in rows["co2"]
    assert " yes " in rows["digits"] and "1,000" in rows["digits"] and "8×8×1" in rows["digits"]
    assert " no " in rows["glyphs"] and "10,960" in rows["glyphs"] and " 137 classes" in rows["glyphs"]
    assert main(["prepare", "digits", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("digits: is there")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "digits", "digitz"], "'digitz' is not a data set: did you mean digits"),
        (["prepare"], "required: NAME"),
        (["fetch", "mail", "digits"], "fetch expects names from mnist, fashion_mnist, mail; got digits"),
        (["keep", "digits"], "invalid choice: 'keep'"),
        ([], "required: list | prepare | fetch"),
    ],
)
def test_bad_input_exits_with_2_and_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NN_DATA_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert message in output.err and output.err.count("\n") == 1 and output.out == ""
    assert not is_prepared("digits"), "no set is fetched before all names are known to be right"


def test_a_set_that_cannot_be_prepared_exits_with_1_and_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["prepare", "digits", "--data-dir", str(tmp_path / "file" / "below")]) == 1
    error = capsys.readouterr().err
    assert "cannot be written" in error and error.count("\n") == 1
