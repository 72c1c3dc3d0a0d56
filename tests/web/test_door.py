"""Looking after the deadlines of many connections."""

from dataclasses import dataclass

from gateway.web.door import NEVER, Door, Limits


@dataclass
class Line:
    """A connection, as a door knows it."""

    deadline: float = NEVER
    write_by: float = NEVER
    idle: bool = False
    expired: int = 0
    left: bool = False

    def expire(self) -> None:
        self.expired += 1

    def leave(self) -> None:
        self.left = True


def a_door() -> Door:
    return Door(Limits(), lambda _: None)


def test_those_expire_whose_moment_has_come():
    lines = [Line(deadline=1), Line(deadline=3), Line(write_by=1), Line()]
    a_door().sweep(lines, 2, late=False)
    assert [line.expired for line in lines] == [1, 0, 1, 0]


def test_after_the_loop_was_held_up_what_has_come_is_read_first_but_only_once():
    door, line = a_door(), Line(deadline=1)
    door.sweep([line], 2, late=True)
    assert line.expired == 0
    door.sweep([line], 3, late=True)
    assert line.expired == 1


def test_room_is_made_by_the_connection_that_has_rested_for_longest():
    lines = [Line(deadline=2, idle=True), Line(deadline=1, idle=True), Line(deadline=0)]
    assert a_door().make_room(lines)
    assert [line.left for line in lines] == [False, True, False]


def test_where_every_connection_is_busy_there_is_no_room():
    lines = [Line(deadline=0), Line(deadline=1)]
    assert not a_door().make_room(lines)
