"""CSV: RFC 4180 and no more loosely."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench_plugins.tables.csv_text import CsvFault, records
from tests.support.fuzzing import some
from tests.support.table_inputs import CSV_TEXTS
from tests.support.table_properties import csv_agrees


@given(CSV_TEXTS, st.sampled_from(",\t"))
@some
def test_as_the_slow_reader(text: str, delimiter: str) -> None:
    csv_agrees(text, delimiter)


@given(
    st.lists(st.lists(st.text() | st.sampled_from(["a\rb", "a\nb", "\r\n"]), min_size=2, max_size=4), min_size=1, max_size=5),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
@some
def test_what_a_writer_wrote(rows: list[list[str]], quoting: int, end: str) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=quoting, lineterminator=end).writerows(rows)  # type: ignore[arg-type]
    try:
        assert [record.fields for record in records(stream.getvalue(), ",")] == rows
    except CsvFault as fault:  # this writer quotes no carriage return where lines end in a line feed
        told = str(fault)
    else:
        return
    assert end == "\n"
    assert "found a carriage return after" in told
    assert any("\r" in field for row in rows for field in row)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('a,b\n1,a "nice" dog\n', r"line 2: found a quotation mark inside the plain field 'a \"nice\" dog'"),
        ('a,b\n1, "a dog"\n', r"line 2: .*inside the plain field ' \"a dog\"'"),
        ('a,b\n1,"a \\"nice\\" dog"\n', r"line 2: found 'nice.* after the quoted field"),
        ('a,b\n1,"two\nlines\n2,c\n', r"line 2: found the quoted field '\"two'…, which is never closed"),
        ('a,b\n"x\ny",1\n2,"z" z\n', r"line 4: found ' z'"),
    ],
)
def test_refused_with_the_line(text: str, told: str) -> None:
    with pytest.raises(CsvFault, match=told):
        list(records(text, ","))


@pytest.mark.parametrize("field", ['a "nice" dog', '"nice" dog', '"nice'])
def test_quotation_marks_between_tabs(field: str) -> None:
    """Which of two forms a file with tabs has, nothing in it says: the message names both, and how to tell."""
    with pytest.raises(CsvFault, match=r"Between tabs, too, .* quoting=3\).to_csv\(FILE, sep='.t', index=False\)$"):
        list(records(f"image\tcaption\n1.jpg\t{field}\n", "\t"))
    with pytest.raises(CsvFault) as caught:
        list(records(f"image,caption\n1.jpg,{field}\n", ","))
    assert "tabs" not in str(caught.value)


def test_long_fields_and_where_records_begin() -> None:
    """The standard library refuses fields over 131,072 characters."""
    found = list(records(f'a,b\r\n"x\r\ny",{"z" * 200_000}\r\n\r\n1,2', ","))
    assert [record.line for record in found] == [1, 2, 5]
    assert len(found[1].fields[1]) == 200_000
