"""Makes the pictures of this folder: one page of each site in Chromium, 1200 by 800.

python docs/images/web/make.py
"""

import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from sojourn.cli.web import make_site_server
from sojourn.envs.web.browser.chromium.launch import find_chromium
from sojourn.envs.web.sites.hosts import LOGINS
from sojourn.envs.web.sites.world import template

PAGES = {
    "shop": "/category/toys-games",
    "admin": "/admin/orders?status=pending",
    "forum": "/all",
    "code": "/byteblaze/harbor-dash/-/issues",
    "wiki": "/wiki/Elmsworth",
    "map": "/directions?from=Larkspur&to=Juniper&mode=car",
    "home": "/",
}
LOG_IN = {"shop": "/account/login", "admin": "/admin/login", "forum": "/login", "code": "/users/sign_in"}


def main() -> None:
    server = make_site_server(0, template())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())  # without a sandbox, as is its default
        for site, path in PAGES.items():
            page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
            if site in LOG_IN:
                page.goto(server.origins[site] + LOG_IN[site])
                name, password = page.locator("main input:not([type=hidden])").all()[:2]
                name.fill(LOGINS[site][0])
                password.fill(LOGINS[site][1])
                password.press("Enter")
                page.wait_for_load_state()
            page.goto(server.origins[site] + path)
            page.screenshot(path=Path(__file__).with_name(f"{site}.png"))
        browser.close()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
