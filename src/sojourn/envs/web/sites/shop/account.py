"""Accounts: log-in and registration, name, mail address, password, newsletter, reviews and orders."""

from __future__ import annotations

import sqlite3

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes, local_path
from sojourn.envs.web.sites.lists import page_of
from sojourn.envs.web.sites.session import Accounts, check_password, password_hash
from sojourn.envs.web.sites.shop.cart import is_added, take_over

routes = Routes()
ACCOUNTS = Accounts(table="shop_customer", login="email")
ORDERS_PER_PAGE = 10
_MIN_PASSWORD = 8


@routes.get("/account/login")
def log_in_form(ctx: Context) -> Reply:
    """The form to log in."""
    return ctx.render("login.html", entry=Entry(ctx.form, {"next": ctx.query.get("next")}))


@routes.post("/account/login")
def log_in(ctx: Context) -> Reply:
    """Log in and go where the customer was going."""
    entry = Entry(ctx.form, {"next": ctx.form.get("next")})
    email, password = entry.email("email", "Email"), ctx.form.get("password")
    customer = check_password(ctx.db, ACCOUNTS, email, password)
    if customer is None:
        entry.refuse("email", "The account sign-in was incorrect. Please wait and try again later.")
        return ctx.render("login.html", status=entry.status, entry=entry)
    take_over(ctx, customer)
    ctx.log_in(customer)
    return ctx.redirect(local_path(ctx.form.get("next"), "/account"))


@routes.post("/account/logout")
def log_out(ctx: Context) -> Reply:
    """End the session."""
    ctx.log_out()
    return ctx.redirect("/", "You have signed out.")


@routes.get("/account/create")
def create_form(ctx: Context) -> Reply:
    """The form for a new account."""
    return ctx.render("create.html", entry=Entry(ctx.form))


@routes.post("/account/create")
def create(ctx: Context) -> Reply:
    """Make an account and log in."""
    entry = Entry(ctx.form)
    first, last = (
        entry.text("first_name", "First name", max_length=60),
        entry.text("last_name", "Last name", max_length=60),
    )
    email = entry.email("email", "Email")
    newsletter = entry.flag("newsletter")
    password = _new_password(entry)
    _refuse_taken(ctx, entry, email, 0)
    if entry.errors:
        return ctx.render("create.html", status=entry.status, entry=entry)
    customer = ctx.db.execute(
        "INSERT INTO shop_customer (email, first_name, last_name, password, group_name, has_newsletter, created_at)"
        " VALUES (?, ?, ?, ?, 'General', ?, ?)",
        (email, first, last, password_hash(email, password), newsletter, ctx.now),
    ).lastrowid
    take_over(ctx, int(customer or 0))
    ctx.log_in(int(customer or 0))
    return ctx.redirect("/account", "Thank you for registering with One Stop Market.")


def _new_password(entry: Entry) -> str:
    password = entry.text("password", "Password", max_length=100)
    if password and len(password) < _MIN_PASSWORD:
        entry.refuse("password", f"Password must have at least {_MIN_PASSWORD} characters.")
    entry.same("password", "password_again", "Please enter the same password twice.")
    return password


def _refuse_taken(ctx: Context, entry: Entry, email: str, own_id: int) -> None:
    if ctx.db.execute("SELECT 1 FROM shop_customer WHERE email = ? AND id != ?", (email, own_id)).fetchone():
        entry.refuse("email", "There is already an account with this email address.")


@routes.get("/account")
def dashboard(ctx: Context) -> Reply:
    """Name, default address and the latest orders."""
    customer = ctx.require_user()
    address = ctx.db.execute(
        "SELECT * FROM shop_address WHERE customer_id = ? AND is_default", (customer["id"],)
    ).fetchone()
    return ctx.render("account.html", customer=customer, address=address, orders=_orders(ctx, customer["id"], 5, 0))


def _orders(ctx: Context, customer_id: int, limit: int, offset: int) -> list[sqlite3.Row]:
    return ctx.db.execute(
        "SELECT number, placed_at, name, total_cents, status FROM shop_order WHERE customer_id = ?"
        " ORDER BY id DESC LIMIT ? OFFSET ?",
        (customer_id, limit, offset),
    ).fetchall()


@routes.get("/account/orders")
def orders(ctx: Context) -> Reply:
    """All orders of the customer, latest first."""
    customer = ctx.require_user()
    total = ctx.db.execute("SELECT count(*) FROM shop_order WHERE customer_id = ?", (customer["id"],)).fetchone()[0]
    paging = page_of(ctx, total, ORDERS_PER_PAGE)
    return ctx.render("orders.html", orders=_orders(ctx, customer["id"], ORDERS_PER_PAGE, paging.offset), paging=paging)


def _own_order(ctx: Context, number: str) -> tuple[sqlite3.Row, list[sqlite3.Row]]:
    customer = ctx.require_user()
    order = ctx.db.execute(
        "SELECT o.*, m.name AS shipping_name, s.carrier, s.tracking_number FROM shop_order o"
        " JOIN shop_shipping_method m ON m.code = o.shipping_method LEFT JOIN shop_shipment s ON s.order_id = o.id"
        " WHERE o.number = ? AND o.customer_id = ?",
        (number, customer["id"]),
    ).fetchone()
    if order is None:
        raise NotFound("You have no such order.")
    lines = ctx.db.execute(
        "SELECT p.*, l.price_cents AS paid_cents, l.quantity FROM shop_order_line l"
        " JOIN shop_product p ON p.id = l.product_id WHERE l.order_id = ? ORDER BY p.id",
        (order["id"],),
    ).fetchall()
    return order, lines


@routes.get("/account/orders/<number>")
def order(ctx: Context, number: str) -> Reply:
    """One order with its lines, amounts, address and what the shop wrote about it."""
    row, lines = _own_order(ctx, number)
    notes = ctx.db.execute(
        "SELECT text, created_at FROM shop_order_note WHERE order_id = ? AND is_visible AND text != '' ORDER BY id",
        (row["id"],),
    ).fetchall()
    return ctx.render("order.html", order=row, lines=lines, notes=notes)


@routes.post("/account/orders/<number>/reorder")
def reorder(ctx: Context, number: str) -> Reply:
    """Put everything of an order into the cart again, as far as stock allows."""
    _, lines = _own_order(ctx, number)
    missing = [line["name"] for line in lines if not (line["is_enabled"] and is_added(ctx, line, line["quantity"]))]
    return ctx.redirect("/cart", f"Not available: {'; '.join(missing)}." if missing else "You added the order again.")


@routes.get("/account/edit")
def edit_form(ctx: Context) -> Reply:
    """The form for name and mail address."""
    return ctx.render("edit.html", entry=Entry(ctx.form, dict(ctx.require_user())))


@routes.post("/account/edit")
def edit(ctx: Context) -> Reply:
    """Change name and mail address; the mail address needs the password, of which its hash is made anew."""
    customer = ctx.require_user()
    entry = Entry(ctx.form)
    first, last = (
        entry.text("first_name", "First name", max_length=60),
        entry.text("last_name", "Last name", max_length=60),
    )
    email, password = entry.email("email", "Email"), ctx.form.get("password")
    _refuse_taken(ctx, entry, email, customer["id"])
    if email != customer["email"] and password_hash(customer["email"], password) != customer["password"]:
        entry.refuse("password", "The password doesn't match this account.")
    if entry.errors:
        return ctx.render("edit.html", status=entry.status, entry=entry)
    kept = customer["password"] if email == customer["email"] else password_hash(email, password)
    ctx.db.execute(
        "UPDATE shop_customer SET first_name = ?, last_name = ?, email = ?, password = ? WHERE id = ?",
        (first, last, email, kept, customer["id"]),
    )
    return ctx.redirect("/account", "You saved the account information.")


@routes.get("/account/password")
def password_form(ctx: Context) -> Reply:
    """The form for a new password."""
    ctx.require_user()
    return ctx.render("password.html", entry=Entry(ctx.form))


@routes.post("/account/password")
def change_password(ctx: Context) -> Reply:
    """Change the password."""
    customer = ctx.require_user()
    entry = Entry(ctx.form)
    if password_hash(customer["email"], ctx.form.get("current")) != customer["password"]:
        entry.refuse("current", "The password doesn't match this account.")
    password = _new_password(entry)
    if entry.errors:
        return ctx.render("password.html", status=entry.status, entry=entry)
    ctx.db.execute(
        "UPDATE shop_customer SET password = ? WHERE id = ?",
        (password_hash(customer["email"], password), customer["id"]),
    )
    return ctx.redirect("/account", "You changed the password.")


@routes.get("/account/newsletter")
def newsletter_form(ctx: Context) -> Reply:
    """The form to have the newsletter sent or not."""
    return ctx.render("newsletter.html", customer=ctx.require_user())


@routes.post("/account/newsletter")
def newsletter(ctx: Context) -> Reply:
    """Have the newsletter sent or not."""
    customer = ctx.require_user()
    wanted = Entry(ctx.form).flag("newsletter")
    ctx.db.execute("UPDATE shop_customer SET has_newsletter = ? WHERE id = ?", (wanted, customer["id"]))
    return ctx.redirect("/account", f"We have {'saved' if wanted else 'removed'} your newsletter subscription.")


@routes.get("/account/reviews")
def reviews(ctx: Context) -> Reply:
    """The customer's own reviews, also those that wait for approval."""
    customer = ctx.require_user()
    rows = ctx.db.execute(
        "SELECT r.*, p.slug, p.name FROM shop_review r JOIN shop_product p ON p.id = r.product_id"
        " WHERE r.customer_id = ? ORDER BY r.created_at DESC, r.id DESC",
        (customer["id"],),
    ).fetchall()
    return ctx.render("reviews.html", reviews=rows)
