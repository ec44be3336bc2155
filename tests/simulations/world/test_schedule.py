"""Virtual time: what is due first is first, and what was planned first, of two."""

from simulations.world.schedule import Schedule


def test_actions_happen_in_the_order_of_their_time_and_then_of_planning() -> None:
    schedule, done = Schedule(), list[tuple[str, int]]()

    def note(name: str) -> None:
        done.append((name, schedule.now))

    schedule.after(20, note, "late")
    schedule.after(10, note, "first")
    schedule.after(10, note, "second")
    schedule.run(until=15)

    assert done == [("first", 10), ("second", 10)]
    assert schedule.now == 15
    assert schedule.next_at == 20
    schedule.run(until=20)
    assert done[-1] == ("late", 20)
    assert (schedule.steps, len(schedule)) == (3, 0)


def test_an_action_may_plan_others_for_the_same_moment() -> None:
    schedule, done = Schedule(), list[int]()

    def again(left: int) -> None:
        done.append(left)
        if left:
            schedule.after(0, again, left - 1)

    schedule.after(5, again, 3)
    schedule.run(until=5)

    assert done == [3, 2, 1, 0]


def test_waiting_for_a_condition_ends_with_it_or_in_time() -> None:
    schedule, done = Schedule(), list[int]()
    for at in (10, 20, 30):
        schedule.after(at, done.append, at)

    assert schedule.run_while(lambda: len(done) < 2, until=100)
    assert schedule.now == 20
    assert not schedule.run_while(lambda: len(done) < 9, until=100)
