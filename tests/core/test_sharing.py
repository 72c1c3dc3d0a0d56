"""High priority before low, without starving the low."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sharing import FIRST_OF_TURN, HIGH, LOW, NORMAL, PRIORITIES, Queue, deal, first

COUNTS = st.lists(st.integers(0, 40), min_size=3, max_size=3)


def pop_all(queue: Queue[str]) -> str:
    return "".join(iter(queue.pop, None))


def filled(**items: str) -> Queue[str]:
    queue: Queue[str] = Queue()
    for name, priority in (("high", HIGH), ("normal", NORMAL), ("low", LOW)):
        for item in items.get(name, ""):
            queue.push(item, priority)
    return queue


def test_of_one_priority_the_first_in_is_the_first_out():
    assert pop_all(filled(normal="abcdefghijkl")) == "abcdefghijkl"


def test_high_overtakes_low_and_each_lower_one_gets_one_in_eight():
    assert pop_all(filled(high="h" * 12, normal="nn", low="ll")) == "hhhnhhhlhhhnhhhl"


def test_an_unused_turn_goes_to_the_highest_that_waits():
    assert pop_all(filled(normal="n" * 8, low="ll")) == "nnnnnnnlnl"


def test_an_empty_queue_has_nothing():
    assert Queue().pop() is None


def test_what_is_taken_out_is_the_lowest_and_the_last():
    queue = filled(high="ab", normal="cd", low="e")
    assert queue.keep(3) == ["e", "d"]
    assert (len(queue), pop_all(queue)) == (3, "abc")
    assert queue.keep(0) == []


@given(waiting=COUNTS, turn=st.integers(0, 100))
def test_whoever_waits_throughout_gets_one_of_any_eight_turns(waiting, turn):
    always = [count + 1 for count in waiting]
    served = [first(always, turn + i) for i in range(len(FIRST_OF_TURN))]
    assert set(served) == set(PRIORITIES)


@given(moves=st.lists(st.sampled_from([HIGH, NORMAL, LOW, None]), max_size=200))
def test_in_a_queue_nobody_waits_for_more_than_eight_turns_to_be_served_once(moves):
    queue: Queue[int] = Queue()
    waiting, unserved = [0, 0, 0], [0, 0, 0]
    for move in moves:
        if move is not None:
            queue.push(move, move)
            waiting[move] += 1
            continue
        served = queue.pop()
        assert (served is None) is (sum(waiting) == 0)
        for priority in PRIORITIES:
            idle = served == priority or not waiting[priority]
            unserved[priority] = 0 if idle else unserved[priority] + 1
        if served is not None:
            waiting[served] -= 1
        assert max(unserved) < len(FIRST_OF_TURN)


@given(moves=st.lists(st.sampled_from(PRIORITIES), max_size=60), pops=st.integers(0, 60))
def test_nothing_is_lost_or_doubled(moves, pops):
    queue: Queue[tuple[int, int]] = Queue()
    for i, priority in enumerate(moves):
        queue.push((priority, i), priority)
    popped = [item for item in (queue.pop() for _ in range(pops)) if item is not None]
    assert len(queue) == len(moves) - len(popped)
    everything = popped + queue.keep(0)
    assert sorted(everything) == sorted((priority, i) for i, priority in enumerate(moves))
    for priority in PRIORITIES:
        of_one = [item for item in popped if item[0] == priority]
        assert of_one == sorted(of_one)


@given(places=st.integers(0, 100), waiting=COUNTS, turn=st.integers(0, 1000))
def test_places_are_dealt_as_far_as_anything_waits_and_as_single_turns_would(places, waiting, turn):
    left, expected = list(waiting), [0, 0, 0]
    for i in range(places):
        if any(left):
            priority = first(left, turn + i)
            left[priority] -= 1
            expected[priority] += 1
    assert deal(places, waiting, turn) == expected
