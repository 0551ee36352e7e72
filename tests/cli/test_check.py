"""`stepgrad check`: the first wrong line of a hand calculation."""

import io
from pathlib import Path

import stepgrad as sg
from stepgrad import nn

RIGHT = "z1 = 0.6478\nz2 = 0.7225\na1 = 0.6565\n"


def test_right_work(stepgrad):
    Path("work.txt").write_text(RIGHT + "apples = 3\n", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert (ran.code, ran.out) == (0, "All is right: 3 lines checked.\n")
    assert ran.err == "Line 4 was not checked: apples = 3\n"
    assert stepgrad("check", "work.txt", "--quiet").err == ""
    assert stepgrad("check", "work.txt", "--lang", "ko").out == "모두 맞습니다. 3줄을 확인했습니다.\n"


def test_wrong_work(stepgrad):
    Path("work.txt").write_text(RIGHT + "a2 = 1/(1 + e^0.7225) = 0.3268\n", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "Line 4 is wrong: a2 = 1/(1 + e^0.7225) = 0.3268",
        "  a⁽¹⁾₂ is 0.6732, not 0.3268.",
        "  a⁽¹⁾₂ = 1/(1 + e^(−z⁽¹⁾₂))",
        "  The likely slip: e^z was taken in place of e^(−z).",
        "  (3 lines before it are right.)",
    ]
    korean = stepgrad("check", "work.txt", "--lang", "ko").out.splitlines()
    assert korean[1] == "  a⁽¹⁾₂는 0.3268이 아니라 0.6732입니다."
    assert korean[3] == "  아마도: e^(−z) 대신 e^z를 썼습니다."
    ran = stepgrad("check", "work.txt", "--json")
    assert (ran.code, ran.json["ok"], ran.json["right"]) == (1, False, 3)
    assert (ran.json["wrong"]["line"], ran.json["wrong"]["slip"]) == (4, {"kind": "exp_sign"})


def test_other_ways_of_being_wrong(stepgrad):
    Path("work.txt").write_text("z1 = 0.4352·1 + 0.3545·1 + 0.1419 = 0.6478\n", encoding="utf-8")
    assert "  Its expression gives 0.9316; z⁽¹⁾₁ is 0.647800.\n" in stepgrad("check", "work.txt").out
    Path("work.txt").write_text("z1 = 12.3\n", encoding="utf-8")
    assert "  No common slip gives this number.\n" in stepgrad("check", "work.txt").out


def test_a_model_and_data_of_ones_own(stepgrad):
    sg.manual_seed(3)
    net = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    sg.save(net, "net.safetensors")
    z = net[0](sg.tensor([0.6, -1.2])).item()
    step = ["--model", "net.safetensors", "--input", "0.6,-1.2", "--target", "1", "--lr", "0.5"]
    Path("work.csv").write_text(f"name,value\nz,{z:.4f}\n", encoding="utf-8")
    assert stepgrad("check", "work.csv", *step).code == 0
    Path("work.csv").write_text(f"name,value\nz,{-z:.4f}\n", encoding="cp949")
    assert "a sign was lost" in stepgrad("check", "work.csv", *step).out
    for more, message in [
        (step[:2], "name both --input and --target of the step."),
        (step[2:6], "name the --model that --input and --target belong to."),
        (["--model", "no.safetensors", *step[2:]], "there is no file 'no.safetensors'."),
        ([*step[:2], "--input", "a", "--target", "1"], "--input is no list of numbers such as 1,0.5: 'a'."),
        ([*step[:2], "--input", "1,2;3", "--target", "1"], "the rows of --input have different numbers"),
    ]:
        ran = stepgrad("check", "work.csv", *more)
        assert ran.code == 2
        assert message in ran.err


def test_a_row_of_a_run(stepgrad, house_run):
    Path("work.txt").write_text("η = 0.002\n", encoding="utf-8")
    part = ["--run", house_run.run, "--row", "3", "--path", "0.weight[0,0]"]
    assert stepgrad("check", "work.txt", *part).code == 0
    Path("work.txt").write_text("η = 0.02\n", encoding="utf-8")
    assert "the decimal point is in another place" in stepgrad("check", "work.txt", *part).out


def test_standard_input(stepgrad, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(RIGHT))
    assert stepgrad("check", "-").code == 0


def test_mistakes(stepgrad):
    ran = stepgrad("check", "work.txt")
    assert (ran.code, ran.err) == (2, "Error: there is no file 'work.txt'.\n")
    Path("work.txt").write_text("nothing here", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert ran.code == 2
    assert "Error: 'work.txt' cannot be checked: there is no line such as z1 = " in ran.err
    assert "채점할 수 없습니다. z1 = " in stepgrad("check", "work.txt", "--lang", "ko").err
