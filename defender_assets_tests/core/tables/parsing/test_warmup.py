from defender_assets.core.tables.parsing.warmup import Patience


def test_a_share_that_alone_makes_up_for_loading_ends_it_at_once() -> None:
    assert Patience(100).ends(100)


def test_many_small_shares_end_it_together_and_it_stays_ended() -> None:
    patience = Patience(100)
    assert [patience.ends(size) for size in (40, 40, 40, 0)] == [False, False, True, True]
