from defender_assets.core.tables.parsing.warmup import Warmup


def test_one_large_share_ends_the_warm_up_at_once() -> None:
    assert Warmup(100).is_over(100)


def test_many_small_shares_end_the_warm_up_for_good() -> None:
    warmup = Warmup(100)
    assert [warmup.is_over(size) for size in (40, 40, 40, 0)] == [False, False, True, True]
