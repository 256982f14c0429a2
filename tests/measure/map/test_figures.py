"""Names beside points do not overlap."""

from __future__ import annotations

import itertools

import numpy as np

from app.measure.map.figures import place_labels

SIZE = (1000.0, 500.0)


def boxes(named, places):
    """Return the boxes of the labels as they are drawn, somewhat narrower than the room kept for them."""
    found = []
    for (text, (x, y)), place in zip(named, places, strict=True):
        if place is not None:
            wide, tall = 6 * len(text), 13
            middle = (x + place[0], y + place[1])
            found.append((middle[0] - wide / 2, middle[1] - tall / 2, middle[0] + wide / 2, middle[1] + tall / 2))
    return found


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_labels_cover_neither_each_other_nor_points_and_stay_inside():
    rng = np.random.default_rng(0)
    points = [tuple(point) for point in rng.random((60, 2)) * SIZE]
    named = [(f"low_confidence T=N/{n}", point) for n, point in enumerate(points[:12])]
    found = boxes(named, place_labels(named, points, size=SIZE))
    assert len(found) >= 8
    assert not any(overlap(a, b) for a, b in itertools.combinations(found, 2))
    for box in found:
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= SIZE[0]
        assert box[3] <= SIZE[1]
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in points)


def test_a_name_without_room_is_left_out_and_the_first_choose_first():
    crowd = [(500.0, 250.0)] * 40
    named = [(f"strategy {n}", point) for n, point in enumerate(crowd)]
    places = place_labels(named, crowd, size=(1000, 500), most=3)
    assert [place is not None for place in places] == [True] * 3 + [False] * 37
    assert place_labels([("a long name", (5, 5))], [(5, 5)], size=(20, 20)) == [None]
