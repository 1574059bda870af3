"""The HTML page, in a real headless browser."""

from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from ops.doctor.finding import Finding, Status, check_texts, unknown
from ops.doctor.page import page, topology
from tests.examples import LARGE
from tests.ops.doctor.browser import MISSING, Browser, browser
from tests.ops.doctor.deployment import deployment_of
from tests.ops.doctor.findings import HOSTILE, every_check, mixed

DEPLOYED = deployment_of(LARGE)
WHEN = "2026-11-21T00:00:00+00:00"
SIZES = {"desktop": (1280, 900, False), "phone": (360, 740, True)}


@pytest.fixture(scope="module", params=SIZES)
def window(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """A window of each size that shows the page."""
    if MISSING:
        pytest.skip(f"needs {' and '.join(MISSING)} (Debian: chromium, chromium-driver)")
    folder = tmp_path_factory.mktemp("page")
    path = folder / "doctor.html"
    path.write_text(page(mixed(), DEPLOYED, when=WHEN), "utf-8")
    width, height, phone = SIZES[request.param]
    with browser(folder / "profile", width=width, height=height, phone=phone) as opened:
        opened.open(path.as_uri())
        yield opened


def test_the_page_fits_its_window(window: Browser) -> None:
    inner, content = window.run("return [window.innerWidth, document.documentElement.scrollWidth]")
    assert content <= inner
    assert inner in (1280, 360)
    outside = window.run(
        "return [...document.querySelectorAll('body *')]"
        ".filter(e => e.getClientRects().length && e.getBoundingClientRect().right"
        " > window.innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


def test_the_text_is_large_enough_to_read(window: Browser) -> None:
    sizes = window.run(
        "return [...document.querySelectorAll('p, dd, dt, header, li, .box b')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 14


def test_the_topology_runs_from_left_to_right_or_down_a_phone(window: Browser) -> None:
    boxes = window.run(
        "return [...document.querySelectorAll('.column')].map(e => {"
        "const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]})"
    )
    assert len(boxes) == 5
    along = 1 if window.run("return window.innerWidth") == 360 else 0
    places = [box[along] for box in boxes]
    assert places == sorted(places)
    assert len(set(places)) == 5
    assert all(width > 60 and height > 20 for _, _, width, height in boxes)


def test_what_passed_unfolds_on_a_click(window: Browser) -> None:
    opened = "return document.querySelector('details').open"
    assert window.run(opened) is False
    window.click("details summary")
    assert window.run(opened) is True
    window.click("details summary")


def test_text_from_outside_is_text(window: Browser) -> None:
    saw = window.run("return document.querySelector('article dd').textContent")
    assert saw == HOSTILE
    assert window.run("return document.scripts.length") == 0


def test_the_page_loads_nothing_and_logs_no_error(window: Browser) -> None:
    assert window.run("return performance.getEntriesByType('resource').length") == 0
    assert window.log() == []


class Links(HTMLParser):
    """Collects whatever would load something from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.targets: list[str] = []
        self.anchors: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe"):
            self.found.append(tag)
        self.found += [
            name
            for name, value in attrs
            if name in ("src", "onclick", "style")
            or (name == "href" and not str(value).startswith("#"))
        ]
        self.targets += [str(value)[1:] for name, value in attrs if name == "href"]
        self.anchors += [str(value) for name, value in attrs if name == "id"]


def test_the_page_holds_all_that_it_needs() -> None:
    text = page(mixed(), DEPLOYED, when=WHEN)
    links = Links()
    links.feed(text)
    assert links.found == []
    assert links.targets
    assert set(links.targets) <= set(links.anchors), "a link leads nowhere"
    assert "url(" not in text
    assert "@import" not in text
    for finding in mixed():
        assert finding.check in text or finding.text.title in text


@pytest.mark.parametrize("status", [Status.PASS, Status.FAIL])
def test_a_page_for_a_thousand_domains_stays_small(status: Status) -> None:
    checks = [
        check for check, text in check_texts().items() if text.group in {"domains", "bulk-senders"}
    ]
    names = [f"news-{number}.customer.example" for number in range(1000)]
    found = [
        Finding(check=check, subject=name, status=status, saw=f"TXT {name}: v=spf1 -all",
                expected="pass", fix=f"publish {name}")
        for name in names
        for check in checks
    ]  # fmt: skip
    text = page(found, DEPLOYED, when=WHEN)
    assert len(text.encode()) < 300_000
    assert names[0] in text


# Topology ---------------------------------------------------------------------


def status_of(*findings: Finding) -> dict[str, Status | None]:
    return {box.title: box.status for column in topology(findings, DEPLOYED) for box in column}


def finding(check: str, subject: str, status: Status) -> Finding:
    return Finding(check=check, subject=subject, status=status, saw="")


def test_each_part_has_the_colour_of_its_worst_finding() -> None:
    found = status_of(
        finding("egress.port-25", "shop-1", Status.PASS),
        finding("egress.reverse-dns", "shop-1", Status.FAIL),
        finding("host.disk", "proxy-2 root", Status.WARN),
        finding("mta.webhook", "mta.mail.example.com", Status.UNKNOWN),
        finding("domain.dkim-key", "shop.example s1", Status.FAIL),
    )
    assert found == {
        "PING8": Status.UNKNOWN,
        "mta.mail.example.com": Status.UNKNOWN,
        "proxy-1": None,
        "proxy-2": Status.WARN,
        "out1.mail.example.com": None,
        "out2.mail.example.com": Status.FAIL,
        "out3.mail.example.com": None,
        "Recipients": Status.FAIL,
    }


def test_one_cause_of_many_findings_is_one_article_that_boxes_lead_to() -> None:
    silent = unknown("could not check", fix="look at the route", cause="no TCP")
    found = [silent.of(check, "mta-1") for check in ("host.login", "host.units", "host.disk")]
    text = page(found, DEPLOYED, when=WHEN)
    assert text.count("<article") == 1
    assert "<b>no TCP</b>" in text and "look at the route" in text
    links = Links()
    links.feed(text)
    assert set(links.targets) == {"f0"} == {one for one in links.anchors if one}


def test_a_healthy_page_shows_no_trouble() -> None:
    text = page(every_check(), DEPLOYED, when=WHEN)
    assert "<article" not in text
    assert f">{len(every_check())} pass<" in text
