from defender_assets.core.tables.parsing.warmup import Warmup


def test_a_share_that_alone_makes_up_for_loading_ends_it_at_once() -> None:
    assert Warmup(100).reached(100)


def test_many_small_shares_end_it_together_and_it_stays_ended() -> None:
    patience = Warmup(100)
    assert [patience.reached(size) for size in (40, 40, 40, 0)] == [False, False, True, True]
