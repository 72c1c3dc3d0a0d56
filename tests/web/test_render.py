"""How pages write what is put into them."""

from gateway.web.dashboard.render import pretty


def test_data_is_shown_indented_with_whole_numbers_of_any_size():
    assert pretty({"n": 2**70, "é": [1]}) == (
        '{\n  "n": 1180591620717411303424,\n  "é": [\n    1\n  ]\n}'
    )
