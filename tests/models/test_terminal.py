import pytest

from models.terminal import table


def test_a_table_aligns_its_first_column_left_and_the_others_right():
    text = table([("fp32", "3.21", "1"), ("a long name", "12.3", "100")], header=("form", "nats", "n"))
    assert text.splitlines() == [
        "form         nats    n",
        "fp32         3.21    1",
        "a long name  12.3  100",
    ]


def test_several_columns_of_a_table_can_be_left_aligned_and_no_line_ends_in_spaces():
    assert table([("a", "bcd"), ("ef", "g")], left=2) == "a   bcd\nef  g"


def test_a_table_may_have_no_rows():
    assert table([], header=("name", "nats")) == "name  nats"
    assert table([]) == ""


def test_rows_of_a_table_must_have_equally_many_cells():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        table([("a", "b"), ("c",)])
