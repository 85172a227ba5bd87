"""The report's page, in a real browser."""

import asyncio
import html
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from browser import chromium
from wbce import report
from wbce.reporting._page import _part

EVIL = "</script><script>document.title='harmed'</script><img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def rows(float_rows):
    X, y = float_rows
    return X.astype(float), y


@pytest.fixture(scope="module")
def found(rows):
    X, y = rows
    classifier = LogisticRegression(max_iter=500, class_weight={0: 1, 1: 6})
    return report(classifier.fit(X[:400], y[:400]), X[400:], y[400:])


@pytest.fixture(scope="module")
def page_file(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "page.html"
    found.save(path)
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def out(page, name):
    return page.text_content(f'[data-out="{name}"]')


def per_cent(said):
    return float(said.removesuffix(" %")) / 100


def test_the_page_asks_for_nothing_and_says_no_error(browser, page_file):
    def look(page):
        page.wait_for_timeout(100)
        tried = page.evaluate(
            """() => fetch("https://example.invalid/").then(() => "reached", () => "refused")"""
        )
        return tried, page.title(), page.get_attribute("html", "lang")

    (tried, title, lang), said, asked = browser.visit(page_file, look)
    assert tried == "refused"
    assert (title, lang) == ("LogisticRegression: report", "en")
    assert asked == [page_file.as_uri()]
    assert [line for line in said if "Content Security Policy" not in line] == []
    assert len(said) <= 2  # of the connection that was tried above


def test_keys_move_the_threshold_and_the_figures_follow_the_curve(browser, page_file, found):
    cuts = found.to_dict()["cuts"]
    tp, fp = np.array(cuts["tp"]), np.array(cuts["fp"])

    def figures(page):
        names = ("precision", "recall", "found", "wrong", "missed", "which")
        said = {name: out(page, name) for name in names}
        return (
            int(page.input_value("#threshold")),
            said,
            page.get_attribute("#threshold", "aria-valuetext"),
        )

    def look(page):
        page.focus("#threshold")
        seen = [figures(page)]
        for key in ("ArrowLeft", "PageDown", "PageDown", "PageUp", "Home", "ArrowRight", "End"):
            page.keyboard.press(key)
            seen.append(figures(page))
        marks = page.evaluate(
            """() => [...document.querySelectorAll("svg .mark")].map(
                (mark) => [mark.getAttribute("cx") ?? mark.getAttribute("x1"),
                           mark.ownerSVGElement.dataset.left,
                           mark.ownerSVGElement.dataset.right])"""
        )
        return seen, marks

    (seen, marks), _, _ = browser.visit(page_file, look)
    places = [place for place, _, _ in seen]
    assert seen[0][1]["which"] == "as the classifier decides"
    assert places[1] == places[0] - 1
    assert places[2] < places[1] - 5
    assert places[3] < places[2]
    assert places[4] > places[3]
    assert places[5:] == [0, 1, len(tp) - 1]
    for place, said, told in seen:
        assert float(said["found"].replace(",", "")) == tp[place]
        assert float(said["wrong"].replace(",", "")) == fp[place]
        assert float(said["missed"].replace(",", "")) == tp[0] - tp[place]
        assert per_cent(said["recall"]) == pytest.approx(tp[place] / tp[0], abs=0.0051)
        if tp[place] + fp[place]:
            expected = tp[place] / (tp[place] + fp[place])
            assert per_cent(said["precision"]) == pytest.approx(expected, abs=0.0051)
        else:
            assert said["precision"] == "-"
        assert f"recall {said['recall']}" in told
        assert f"precision {said['precision']}" in told
    assert seen[1][1]["which"].startswith("at a threshold of")
    (recall, left, _), (threshold, _, right) = marks  # the last cut: no alarm
    assert (recall, threshold) == (left, right)


def test_what_the_user_types_counts_and_the_buttons_go_to_the_best(browser, page_file, found):
    cuts = found.to_dict()["cuts"]
    tp, fp = np.array(cuts["tp"]), np.array(cuts["fp"])
    n = len(found._found.rows.positive)

    def look(page):
        page.fill("#per-day", "5000")
        page.fill("#cost-false-alarm", "3")
        page.fill("#cost-miss", "40")
        page.click('[data-to="cost"]')
        cheapest = int(page.input_value("#threshold")), out(page, "cost"), out(page, "alarms")
        page.click('[data-to="f1"]')
        best = int(page.input_value("#threshold")), out(page, "f1")
        page.click('[data-to="half"]')
        half = out(page, "threshold")
        page.fill("#cost-miss", "-1")
        refused = page.get_attribute("#cost-miss", "aria-invalid"), out(page, "cost")
        return cheapest, best, half, refused

    (cheapest, best, half, refused), said, _ = browser.visit(page_file, look)
    costs = (3 * fp + 40 * (tp[0] - tp)) * 5000 / n
    place, cost, alarms = cheapest
    assert costs[place] == costs.min()
    assert float(cost.replace(",", "")) == pytest.approx(costs.min(), rel=1e-3)
    assert float(alarms.replace(",", "")) == pytest.approx((tp + fp)[place] * 5000 / n, abs=0.51)
    rows = found._found.rows  # the best of all cuts, not only of those that are on the page
    every = 3 * rows.curve.fp + 40 * rows.curve.fn
    assert costs.min() == pytest.approx(every.min() * 5000 / n)
    assert float(best[1]) == pytest.approx(rows.curve.f1.max(), abs=5e-4)
    assert half == "0.5"
    assert refused == ("true", "-")
    assert said == []


def test_a_narrow_screen_needs_no_scrolling_sideways(browser, page_file):
    def look(page):
        return page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

    for width in (320, 1180):
        (needed, there), _, _ = browser.visit(page_file, look, width=width)
        assert needed <= there == width


def test_dark_and_light_are_as_the_system_says(browser, page_file):
    def look(page):
        return page.evaluate(
            """() => { const style = getComputedStyle(document.body);
                       return [style.backgroundColor, style.color]; }"""
        )

    light, _, _ = browser.visit(page_file, look, color_scheme="light")
    dark, _, _ = browser.visit(page_file, look, color_scheme="dark")
    assert light == ["rgb(255, 255, 255)", "rgb(28, 33, 40)"]
    assert dark == ["rgb(19, 23, 28)", "rgb(230, 237, 243)"]


def test_without_a_script_all_but_the_slider_is_there(browser, page_file, found):
    def look(page):
        return page.is_visible("#threshold"), out(page, "found"), page.inner_text("main")

    (slider, hits, text), said, _ = browser.visit(page_file, look, java_script_enabled=False)
    assert not slider
    assert float(hits) == found.to_dict()["confusion"]["tp"]
    for heading in ("What is risky", "How good it is", "The worst mistakes"):
        assert heading in text
    assert said == []


def test_the_script_says_what_the_page_said_before_it_ran(browser, rows, tmp_path):
    X, y = rows
    classifier = LogisticRegression(max_iter=500, class_weight="balanced").fit(X, y)

    def look(page):
        said = """() => [...document.querySelectorAll("[data-out]")].map((place) =>
            [place.dataset.out, place.textContent])"""
        return page.evaluate(said)

    weight = np.random.default_rng(0).uniform(0.5, 3, len(y))
    for said in (
        {"per_day": 1_234_567, "cost_matrix": [[0, 3.5], [120, 2]]},
        {"sample_weight": weight},
        {"sample_weight": np.where(y == 1, 1.0, 1000.0), "per_day": 100},
    ):
        path = tmp_path / "page.html"
        report(classifier, X, y, **said).save(path)
        still, _, _ = browser.visit(path, look, java_script_enabled=False)
        alive, _, _ = browser.visit(path, look)
        assert len(still) == 12
        assert alive == still


def test_the_mark_comes_back_to_the_chosen_cut(browser, page_file):
    def look(page):
        page.focus("#threshold")
        page.keyboard.press("Home")
        page.click('[data-to="chosen"]')
        return page.evaluate(
            """() => ["mark", "chosen"].map((kind) => ["cx", "cy"].map((way) => Number(
                document.querySelector(`svg circle.${kind}`).getAttribute(way))))"""
        )

    (mark, chosen), _, _ = browser.visit(page_file, look)
    assert mark == pytest.approx(chosen, abs=0.1)


def test_names_and_values_are_shown_and_never_run(browser, rows, tmp_path):
    X, y = rows
    frame = pd.DataFrame(X, columns=[f"{EVIL}{i}" for i in range(X.shape[1])])
    frame.index = [f"{EVIL}{i}" for i in range(len(frame))]
    labels = np.where(y == 1, EVIL, "fine")
    classifier = LogisticRegression(class_weight="balanced").fit(frame, labels)
    told = report(classifier, frame, labels, label=EVIL, name=EVIL)
    assert told.to_dict()["name"] == EVIL
    path = tmp_path / "evil.html"
    told.save(path)

    def look(page):
        page.on("dialog", lambda dialog: pytest.fail("a script ran"))
        page.keyboard.press("End")
        return page.title(), page.query_selector("main img"), page.inner_text("main")

    (title, image, text), said, asked = browser.visit(path, look)
    assert title == f"{EVIL}: report"
    assert image is None
    assert f"{EVIL}0"[:30] in text
    assert said == []
    assert asked == [path.as_uri()]


def test_in_a_notebook_the_page_works_in_its_frame(browser, found, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><body>{found._repr_html_()}</body>", encoding="utf-8")

    def look(page):
        frame = page.frame_locator("iframe")
        slider = frame.locator("#threshold")
        slider.focus()
        slider.press("End")
        return frame.locator('[data-out="found"]').text_content()

    hits, said, asked = browser.visit(path, look)
    assert hits == "0"
    assert said == []
    assert [url for url in asked if url.startswith("http")] == []


def test_the_browser_is_not_hindered_by_a_running_loop(page_file):
    async def in_a_loop():
        with chromium() as browser:
            return browser.visit(page_file, lambda page: page.title())[0]

    assert asyncio.run(in_a_loop()) == "LogisticRegression: report"


def test_the_policy_allows_no_connection_and_no_attribute_runs_code(found):
    page = found.to_html()
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]*\son\w+=", page[: page.index("<script")])
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert len(page.encode()) < 300_000
    assert found._repr_html_().count("<iframe") == 1
    assert html.unescape(found._repr_html_()).count("<!DOCTYPE html>") == 1


def test_headings_follow_one_another(found):
    levels = [int(level) for level in re.findall(r"<h([1-6])", found.to_html())]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_have_the_contrast_that_accessibility_asks_for(scheme):
    blocks = re.findall(r":root \{(.*?)\}", _part("page.css"), re.S)
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", blocks[scheme]))
    inks = ("ink", "quiet", "blue", "serious", "caution", "note")
    pairs = [(ink, ground, 4.5) for ink in inks for ground in ("page", "panel")]
    pairs += [(ink, "page", 3) for ink in ("orange", "purple")]
    if "on-blue" in colours:
        pairs.append(("on-blue", "blue", 4.5))
    for ink, ground, least in pairs:
        dark, bright = sorted(_luminance(colours[name]) for name in (ink, ground))
        assert (bright + 0.05) / (dark + 0.05) >= least, (ink, ground)
