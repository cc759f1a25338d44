"""The thread that runs statements for another one: it gives back what they return, raise, or owe."""

from __future__ import annotations

import threading
import time

import pytest

from sql.client import Helper, NoAnswerInTime


def test_a_helper_returns_and_raises_what_its_work_does_and_goes_on() -> None:
    helper = Helper()
    assert helper.do(lambda: 7, None) == 7
    with pytest.raises(KeyError, match="lost"):
        helper.do(lambda: {}["lost"], None)
    assert helper.do(threading.get_ident, None) == helper.do(threading.get_ident, None) != threading.get_ident()
    assert not helper.in_hand


def test_work_that_takes_too_long_is_left_in_hand() -> None:
    helper, late = Helper(), threading.Event()
    with pytest.raises(NoAnswerInTime):
        helper.do(late.wait, time.monotonic() + 0.01)
    assert helper.in_hand
    late.set()


def test_the_thread_of_a_helper_ends_when_nobody_has_the_helper_any_more() -> None:
    helpers = [Helper() for _ in range(20)]
    threads = {helper.do(threading.current_thread, None) for helper in helpers}
    assert len(threads) == 20
    assert all(thread.is_alive() for thread in threads)
    helpers.clear()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
