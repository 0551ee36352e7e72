"""`stepgrad check`: the first wrong line of a hand calculation."""

import io
from pathlib import Path

import stepgrad as sg
from stepgrad import nn

RIGHT = "z1 = 0.6478\nz2 = 0.7225\na1 = 0.6565\n"


def test_right_work(stepgrad):
    Path("work.txt").write_text(RIGHT + "apples = 3\n", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert (ran.code, ran.out) == (3, "No mistake found: 3 lines checked, 1 line not or not wholly read.\n")
    assert ran.err == "Line 4 was not read: apples = 3.\n"
    assert stepgrad("check", "work.txt", "--quiet").err == ""
    assert stepgrad("check", "work.txt", "--lang", "ko").out == (
        "틀린 곳을 찾지 못했습니다. 3줄을 확인했고, 1줄은 못 읽었거나 일부만 읽었습니다.\n"
    )
    Path("work.txt").write_text(f"Forward pass\n{RIGHT}", encoding="utf-16")
    ran = stepgrad("check", "work.txt")
    assert (ran.code, ran.out) == (0, "All is right: 3 lines checked.\n")
    assert ran.err == "Lines that state nothing to check: 1\n"
    assert stepgrad("check", "work.txt", "--lang", "ko").out == "모두 맞습니다. 3줄을 확인했습니다.\n"


def test_what_was_not_read_is_said_with_its_line(stepgrad):
    text = "z1 = stuff = 0.6478\nq = 1 + 1 = 2\n0/0\nasdf qwer\ny = 0.4154\nδ3 = -0.4154\nnew loss = 0.28\n"
    Path("work.txt").write_text(text, encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert ran.code == 3
    assert ran.out == "No mistake found: 4 lines checked, 3 lines not or not wholly read.\n"
    assert ran.err.splitlines() == [
        "Line 1: the value was checked, but this was not read: stuff.",
        "Line 2: q is no quantity of the step; only the arithmetic was checked.",
        "Line 3 was not read: 0/0.",
        "Line 5: y was taken for the output, not for the target.",
        "Line 6: δ3 was taken for the gradient with its sign turned.",
        "Lines that state nothing to check: 4",
    ]
    assert "2번째 줄: q는 이 스텝의 값이 아니어서" in stepgrad("check", "work.txt", "--lang", "ko").err
    answer = stepgrad("check", "work.txt", "--json").json
    assert (answer["ok"], answer["complete"], answer["lines"], answer["not_read"]) == (True, False, 4, 3)
    assert answer["remarks"][2] == {"line": 3, "kind": "not_read", "text": "0/0"}
    Path("work.txt").write_text("foo = 3\nz1 = 0.9\n", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert ran.out.splitlines()[-1] == "  (Before it 1 line not or not wholly read.)"
    Path("work.txt").write_text("z1 = 0.9\n", encoding="utf-8")
    assert "0 lines" not in stepgrad("check", "work.txt").out
    assert "0줄" not in stepgrad("check", "work.txt", "--lang", "ko").out


def test_options_that_would_be_left_out_of_account(stepgrad):
    Path("work.txt").write_text(RIGHT, encoding="utf-8")
    for option in ("--row 1", "--layer 1", "--neuron 0", "--path 0.weight[0,0]", "--data t.csv"):
        ran = stepgrad("check", "work.txt", *option.split())
        assert (ran.code, ran.err) == (2, f"Error: {option.split()[0]} goes with --run.\n")
    ran = stepgrad("check", "work.txt", "--lr", "0.1")
    assert (ran.code, ran.err) == (2, "Error: --lr goes with --model.\n")
    ran = stepgrad("check", "work.txt", "--lr", "0.1", "--run", "r")
    assert (ran.code, ran.err) == (2, "Error: name either --run or --lr, not both.\n")


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
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(RIGHT.encode())))
    assert stepgrad("check", "-").code == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(bytes(range(256)))))
    assert stepgrad("check", "-").err == "Error: '-' is no text file.\n"


def test_mistakes(stepgrad):
    ran = stepgrad("check", "work.txt")
    assert (ran.code, ran.err) == (2, "Error: there is no file 'work.txt'.\n")
    for content, message in [
        (b"", "'work.txt' cannot be checked: it is empty."),
        (b" \n\t\n", "'work.txt' cannot be checked: it is empty."),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "'work.txt' is no text file."),
        (bytes(range(256)), "'work.txt' is no text file."),
    ]:
        Path("work.txt").write_bytes(content)
        ran = stepgrad("check", "work.txt")
        assert (ran.code, ran.out, ran.err) == (2, "", f"Error: {message}\n")
    Path("folder").mkdir()
    ran = stepgrad("check", "folder")
    assert (ran.code, ran.err) == (2, "Error: 'folder' is a folder; name the file with the work.\n")
    assert "'folder'는 폴더입니다." in stepgrad("check", "folder", "--lang", "ko").err
    Path("work.txt").write_text(RIGHT, encoding="utf-8")
    ran = stepgrad("check", "work.txt", "--model", "net.safetensors", "--run", "runs/a")
    assert (ran.code, ran.err) == (2, "Error: name either --run or --model, not both.\n")
    Path("work.txt").write_text("nothing here", encoding="utf-8")
    ran = stepgrad("check", "work.txt")
    assert ran.code == 2
    assert "Error: 'work.txt' cannot be checked: there is no line such as z1 = " in ran.err
    assert "채점할 수 없습니다. z1 = " in stepgrad("check", "work.txt", "--lang", "ko").err


def test_a_step_too_large_for_hands_names_options_that_there_are(stepgrad, flowers):
    options = ("--target", "kind", "--epochs", 1, "--hidden", "90,90", "--json", "--out", "run")
    assert stepgrad("train", flowers, *options).code == 0
    Path("work.txt").write_text("z1 = 9.9\n", encoding="utf-8")
    ran = stepgrad("check", "work.txt", "--run", "run")
    assert ran.code == 2
    assert "numbers, too many for work by hand; say which part of it was worked out by" in ran.err
    assert "손으로 풀기에 너무 많습니다" in stepgrad("check", "work.txt", "--run", "run", "--lang", "ko").err
    ran = stepgrad("check", "work.txt", "--run", "run", "--layer", 1, "--neuron", 0)
    assert (ran.code, ran.out.splitlines()[0]) == (1, "Line 1 is wrong: z1 = 9.9")
