"""`python -m app quantize`: quantise a checkpoint once."""

from __future__ import annotations

import models
from app.__main__ import main
from tests.models.checkpoints.test_formats import write


def test_a_checkpoint_is_quantised_and_its_size_printed(tmp_path, capsys):
    small = tmp_path / "small"
    assert main(["quantize", "bundled", str(small)]) == 0
    assert "small: 10.6 MB of weights, from 31.5 MB" in capsys.readouterr().out
    assert models.load(str(small)).notices == ()


def test_the_flags_choose_format_numbers_and_mask_token(tmp_path):
    folder, small = write(tmp_path / "original", mask=False), tmp_path / "small"
    flags = ["--to", "int8", "--dtype", "float32", "--mask-token-id", "9", "--device", "cpu"]
    assert main(["quantize", str(folder), str(small), *flags]) == 0
    loaded = models.load(str(small))
    assert (loaded.tokenizer.mask_id, loaded.context, loaded.notices) == (9, 64, ())


def test_a_mistake_is_one_line_and_leaves_the_folders_unchanged(tmp_path, capsys):
    plain, small, again, other = (str(tmp_path / name) for name in ("plain", "small", "again", "other"))
    write(tmp_path / "plain")
    assert main(["quantize", plain, small, "--to", "int8"]) == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    capsys.readouterr()
    for arguments, message in (
        ((small, again), "is already quantised"),
        ((plain, other), "is not a checkpoint folder"),
        (("nowhere", again), "no model 'nowhere'"),
        (("toy", again), "no weights to quantise"),
        ((plain, again, "--device", "spread"), "stay on one device"),
        ((plain, again, "--to", "int3"), "invalid choice: 'int3'"),
        ((plain,), "the following arguments are required: DST"),
    ):
        assert main(["quantize", *arguments]) == 2
        printed = capsys.readouterr()
        assert (printed.out, printed.err.count("\n")) == ("", 1)
        assert message in printed.err
    assert not (tmp_path / "again").exists()
    assert (tmp_path / "other" / "letter.txt").read_text() == "dear"
