"""Changing the map: reviews, and lists of saved places. There is one visitor, who needs no account."""

from __future__ import annotations

from sojourn.envs.web.sites.framework import Context, Entry, NotFound, Reply, Routes
from sojourn.envs.web.sites.lists import page_of
from sojourn.envs.web.sites.map.browse import place_page
from sojourn.envs.web.sites.map.queries import FROM_PLACE, PLACE_COLUMNS, list_by_id, lists, place_by_id

routes = Routes()
VISITOR = "You"
"""The author of reviews that are written on the site."""
PER_PAGE = 15


@routes.post("/place/<int:place_id>/review")
def review(ctx: Context, place_id: int) -> Reply:
    """A new review."""
    row = place_by_id(ctx.db, place_id)
    entry = Entry(ctx.form)
    stars = entry.integer("rating", "Rating", low=1, high=5)
    body = entry.text("body", "Review", max_length=2000)
    if entry.errors:
        return place_page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO map_review (place_id, author, stars, body, created) VALUES (?, ?, ?, ?, ?)",
        (place_id, VISITOR, stars, body, ctx.now),
    )
    return ctx.redirect(f"/place/{place_id}", "Your review was published.")


@routes.post("/place/<int:place_id>/save")
def save(ctx: Context, place_id: int) -> Reply:
    """Put the place into a list, or change its note there."""
    row = place_by_id(ctx.db, place_id)
    chosen = list_by_id(ctx.db, ctx.form.integer("list", 0, low=0))
    entry = Entry(ctx.form)
    note = entry.text("note", "Note", max_length=300, required=False)
    if entry.errors:
        return place_page(ctx, row, entry)
    ctx.db.execute(
        "INSERT INTO map_saved VALUES (?, ?, ?) ON CONFLICT (list_id, place_id) DO UPDATE SET note = excluded.note",
        (chosen["id"], place_id, note),
    )
    return ctx.redirect(f"/place/{place_id}", f"Saved to {chosen['name']}.")


@routes.post("/place/<int:place_id>/unsave")
def unsave(ctx: Context, place_id: int) -> Reply:
    """Take the place out of a list."""
    chosen = list_by_id(ctx.db, ctx.form.integer("list", 0, low=0))
    cursor = ctx.db.execute("DELETE FROM map_saved WHERE list_id = ? AND place_id = ?", (chosen["id"], place_id))
    if not cursor.rowcount:
        raise NotFound("The place is not in this list.")
    return ctx.redirect(f"/list/{chosen['id']}", f"Removed from {chosen['name']}.")


@routes.get("/lists")
def all_lists(ctx: Context) -> Reply:
    """The lists, and the form for a new one."""
    return ctx.render("lists.html", lists=lists(ctx.db), entry=Entry(ctx.form))


@routes.post("/lists")
def new_list(ctx: Context) -> Reply:
    """A new, empty list."""
    entry = Entry(ctx.form)
    name = _list_name(ctx, entry, 0)
    if entry.errors:
        return ctx.render("lists.html", status=422, lists=lists(ctx.db), entry=entry)
    ctx.db.execute("INSERT INTO map_list (name) VALUES (?)", (name,))
    return ctx.redirect("/lists", f"The list {name} was created.")


def _list_name(ctx: Context, entry: Entry, list_id: int) -> str:
    name = entry.text("name", "Name", max_length=60)
    if ctx.db.execute("SELECT 1 FROM map_list WHERE name = ? AND id <> ?", (name, list_id)).fetchone():
        entry.refuse("name", "There is a list of this name.")
    return name


@routes.get("/list/<int:list_id>")
def one_list(ctx: Context, list_id: int) -> Reply:
    """The places of a list."""
    return _list_page(ctx, list_id, Entry(ctx.form))


def _list_page(ctx: Context, list_id: int, entry: Entry) -> Reply:
    row = list_by_id(ctx.db, list_id)
    total = ctx.db.execute("SELECT count(*) FROM map_saved WHERE list_id = ?", (list_id,)).fetchone()[0]
    paging = page_of(ctx, total, PER_PAGE)
    places = ctx.db.execute(
        f"SELECT {PLACE_COLUMNS}, s.note {FROM_PLACE} JOIN map_saved s ON s.place_id = p.id WHERE s.list_id = ?"
        " ORDER BY p.name LIMIT ? OFFSET ?",
        (list_id, PER_PAGE, paging.offset),
    ).fetchall()
    status = 422 if entry.errors else 200
    return ctx.render("list.html", status=status, list=row, places=places, paging=paging, entry=entry)


@routes.post("/list/<int:list_id>/rename")
def rename(ctx: Context, list_id: int) -> Reply:
    """Another name for a list."""
    list_by_id(ctx.db, list_id)
    entry = Entry(ctx.form)
    name = _list_name(ctx, entry, list_id)
    if entry.errors:
        return _list_page(ctx, list_id, entry)
    ctx.db.execute("UPDATE map_list SET name = ? WHERE id = ?", (name, list_id))
    return ctx.redirect(f"/list/{list_id}", "The list was renamed.")


@routes.post("/list/<int:list_id>/delete")
def delete(ctx: Context, list_id: int) -> Reply:
    """Delete a list and what it holds."""
    row = list_by_id(ctx.db, list_id)
    ctx.db.execute("DELETE FROM map_saved WHERE list_id = ?", (list_id,))
    ctx.db.execute("DELETE FROM map_list WHERE id = ?", (list_id,))
    return ctx.redirect("/lists", f"The list {row['name']} was deleted.")
