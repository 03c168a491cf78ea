"""Results come through as they are, and the oldest is waited for."""

import jax

from nn.training.short_queue import ShortQueue


def test_a_short_queue_passes_results_on_and_waits_for_the_oldest(monkeypatch):
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", waited.append)
    queued = ShortQueue(size=2)
    assert [queued(call) for call in range(5)] == [0, 1, 2, 3, 4]
    assert waited == [0, 1, 2]
