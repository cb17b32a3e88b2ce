"""Score matrices with many ties, and concepts of their queries and candidates."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.toys import ints

Case = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores from −2 to 2, so that ties abound, and concepts shared by several queries and candidates."""
    candidate_concepts = draw(st.lists(st.integers(0, 4), min_size=1, max_size=14))
    query_concepts = draw(st.lists(st.sampled_from(candidate_concepts), min_size=1, max_size=8))
    row = st.lists(st.integers(-2, 2), min_size=len(candidate_concepts), max_size=len(candidate_concepts))
    scores = draw(st.lists(row, min_size=len(query_concepts), max_size=len(query_concepts)))
    return np.array(scores), ints(*query_concepts), ints(*candidate_concepts)
