"""The shop's texts, and the form to write to it."""

from __future__ import annotations

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes

routes = Routes()


@routes.get("/page/<slug>")
def text(ctx: Context, slug: str) -> Reply:
    """One of the texts that the back office writes."""
    row = ctx.db.execute("SELECT * FROM shop_page WHERE slug = ? AND is_enabled", (slug,)).fetchone()
    if row is None:
        raise NotFound("There is no such page.")
    return ctx.render("page.html", page=row)


@routes.get("/contact")
def contact_form(ctx: Context) -> Reply:
    """The form to write to the shop, with what is known about the customer filled in."""
    user = ctx.user
    known = {"name": f"{user['first_name']} {user['last_name']}", "email": user["email"]} if user is not None else {}
    return ctx.render("contact.html", entry=Entry(ctx.form, known))


@routes.post("/contact")
def contact(ctx: Context) -> Reply:
    """Send a message to the shop."""
    entry = Entry(ctx.form)
    name, email = entry.text("name", "Name", max_length=120), entry.email("email", "Email")
    phone = entry.text("phone", "Phone Number", max_length=40, required=False)
    message = entry.text("text", "What's on your mind?", max_length=4000)
    if entry.errors:
        return ctx.render("contact.html", status=entry.status, entry=entry)
    ctx.db.execute(
        "INSERT INTO shop_message (name, email, phone, text, created_at) VALUES (?, ?, ?, ?, ?)",
        (name, email, phone, message, ctx.now),
    )
    notice = "Thanks for contacting us with your comments and questions. We'll respond to you very soon."
    return ctx.redirect("/contact", notice)
