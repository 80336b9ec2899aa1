"""Log-in to the back office, and its dashboard."""

from __future__ import annotations

from sojourn.envs.web.sites.framework import Context, Entry, Reply, Routes, local_path
from sojourn.envs.web.sites.session import Accounts, check_password

routes = Routes()
ACCOUNTS = Accounts(table="admin_user", login="username")
PUBLIC_PATHS = frozenset({"/", "/admin/login"})


@routes.get("/")
def root(ctx: Context) -> Reply:
    """The host has no page but the back office."""
    return ctx.redirect("/admin")


@routes.get("/admin/login")
def log_in_form(ctx: Context) -> Reply:
    """The form to log in."""
    return ctx.render("login.html", entry=Entry(ctx.form, {"next": ctx.query.get("next")}))


@routes.post("/admin/login")
def log_in(ctx: Context) -> Reply:
    """Log in and go where the user was going."""
    entry = Entry(ctx.form, {"next": ctx.form.get("next")})
    user = check_password(ctx.db, ACCOUNTS, entry.text("username", "Username"), ctx.form.get("password"))
    if user is None:
        entry.refuse("username", "The account sign-in was incorrect. Please wait and try again later.")
        return ctx.render("login.html", status=entry.status, entry=entry)
    ctx.log_in(user)
    return ctx.redirect(local_path(ctx.form.get("next"), "/admin"))


@routes.post("/admin/logout")
def log_out(ctx: Context) -> Reply:
    """End the session."""
    ctx.log_out()
    return ctx.redirect("/admin/login", "You have logged out.")


@routes.get("/admin")
def dashboard(ctx: Context) -> Reply:
    """Totals, the last orders, the bestsellers and what customers search for."""
    totals = ctx.db.execute(
        "SELECT sum(total_cents) AS sales_cents, count(*) AS num_orders FROM shop_order WHERE status != 'canceled'"
    ).fetchone()
    orders = ctx.db.execute(
        "SELECT o.id, o.number, c.first_name, c.last_name, o.total_cents,"
        " (SELECT sum(quantity) FROM shop_order_line l WHERE l.order_id = o.id) AS num_items"
        " FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id ORDER BY o.id DESC LIMIT 5"
    ).fetchall()
    best = ctx.db.execute(
        "SELECT p.id, p.name, p.price_cents, sold.quantity FROM (SELECT l.product_id, sum(l.quantity) AS quantity"
        " FROM shop_order_line l WHERE l.order_id NOT IN (SELECT id FROM shop_order WHERE status = 'canceled')"
        " GROUP BY l.product_id ORDER BY quantity DESC, l.product_id LIMIT 5) sold"
        " JOIN shop_product p ON p.id = sold.product_id ORDER BY sold.quantity DESC, p.id"
    ).fetchall()
    terms = ctx.db.execute("SELECT * FROM shop_search_term ORDER BY uses DESC, id LIMIT 5").fetchall()
    pending = ctx.db.execute("SELECT count(*) FROM shop_review WHERE status = 'pending'").fetchone()[0]
    return ctx.render("dashboard.html", totals=totals, orders=orders, best=best, terms=terms, pending=pending)
