"""The accessibility tree of a parsed page, node for node as Chromium's, for the elements that the sites use.

Elements that never show in the laid-out tree (paragraphs, lists, plain boxes without a name) make no node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sojourn.envs.web.browser.text.document import (
    BUTTON_TYPES,
    Document,
    Element,
    chosen_options,
    is_checked,
    is_in_disabled_group,
    is_menu,
    kind_of,
    option_text,
    value_of,
)
from sojourn.envs.web.browser.text.names import (
    button_text,
    content,
    content_name,
    control_name,
    hides,
    image_name,
    is_layout,
    is_redundant,
    shown_value,
    squeezed,
    stated_name,
    ticked_by,
)
from sojourn.envs.web.tree import Node, Property, words

Names = Sequence[str]
"""Names of an element's attributes, which are asked of lxml once, for that costs as much as looking at them."""
Handler = Callable[["Builder", Element, list[Node], Names], None]

_STATES = frozenset({"aria-haspopup", "aria-expanded", "aria-pressed"})
_SPECIAL = frozenset({"role", "aria-label", "aria-labelledby", "hidden", "aria-hidden", "style"})
"""Attributes that matter for every element."""

_NAMING = frozenset({"aria-label", "aria-labelledby"})

_REQUIRED = {False: ("required", "False"), True: ("required", "True")}
_CHECKED = {False: ("checked", "false"), True: ("checked", "true")}
_SELECTED = {False: ("selected", "False"), True: ("selected", "True")}
_EXPANDED = {False: ("expanded", "False"), True: ("expanded", "True")}
_DISABLED = ("disabled", "True")
_FOCUSED = ("focused", "True")
_MENU = ("hasPopup", "menu")
_LISTED = (("autocomplete", "list"), ("hasPopup", "listbox"))
_HEADER = (_REQUIRED[False],)
_LIVE: Mapping[str, tuple[Property, ...]] = {
    kind: (("live", live), ("atomic", atomic), ("relevant", "additions text"))
    for kind, live, atomic in (("alert", "assertive", "True"), ("status", "polite", "True"))
}
_VALUE_ROLES: Mapping[str, str] = {"date": "Date", "time": "InputTime", "color": "ColorWell"}
_SECTIONING = frozenset({"article", "aside", "main", "nav", "section"})
_NAMED_FROM_CONTENT = frozenset({"button", "link", "heading", "tab", "menuitem", "option", "cell", "checkbox", "radio"})


class Builder:
    """Makes the nodes of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.focus = document.focus
        self.in_layout = True
        """Whether what is being read is in a table that is mere layout, or in none."""

    def root(self) -> Node:
        """The node of the whole page."""
        children: list[Node] = []
        element = self.document.root
        body = element.find("body")
        self.inside(element if body is None else body, children)
        return Node("RootWebArea", self.document.title, (_FOCUSED,), children, element)

    def inside(self, element: Element, out: list[Node], names: Names = ()) -> None:
        """Append the nodes of what an element holds; what its attributes are (`names`) does not matter."""
        text = element.text
        if text and not text.isspace():
            out.append(Node("StaticText", text, (), (), element))
        for child in element:
            tag = child.tag
            handler = _HANDLERS.get(tag, Builder.inside)
            if handler is not _skip and isinstance(tag, str):  # else a comment
                names = child.keys()
                if not names or _SPECIAL.isdisjoint(names):
                    handler(self, child, out, names)
                elif not hides(child):
                    self.special(child, handler, out, names)
            text = child.tail
            if text and not text.isspace():
                out.append(Node("StaticText", text, (), (), element))

    def special(self, element: Element, handler: Handler, out: list[Node], names: Names) -> None:
        """An element whose attributes state a role or a name."""
        if element.get("role") is not None:
            self.with_role(element, Builder.plain_named if handler is Builder.inside else handler, out, names)
        elif handler is Builder.inside:
            self.plain_named(element, out, names)
        else:
            handler(self, element, out, names)

    def plain_named(self, element: Element, out: list[Node], names: Names) -> None:
        """A box or list that has a name."""
        name = stated_name(self.document, element, names)
        if name:
            self.add(element, _PLAIN_ROLES.get(element.tag, "generic"), name, (), out)
        else:
            self.inside(element, out)

    def with_role(self, element: Element, handler: Handler, out: list[Node], names: Names) -> None:
        """An element whose role an attribute states."""
        role = element.get("role", "").split(" ")[0]
        if role in ("presentation", "none", ""):
            self.inside(element, out)
            return
        if _OWN_ROLES.get(element.tag) == role:  # says what it is anyway
            handler(self, element, out, names)
            return
        name_of = content_name if role in _NAMED_FROM_CONTENT else stated_name
        name = name_of(self.document, element, names)
        self.add(element, "image" if role == "img" else role, name, _LIVE.get(role, ()), out)

    def add(self, element: Element, role: str, name: str, properties: tuple[Property, ...], out: list[Node]) -> None:
        """A node with what the element holds as its children."""
        if element is self.focus:
            properties = (_FOCUSED, *properties)
        children: list[Node] = []
        self.inside(element, children)
        out.append(Node(role, name, properties, children, element))

    def add_named(
        self, element: Element, role: str, properties: tuple[Property, ...], out: list[Node], names: Names
    ) -> None:
        """A node whose name is made of its content."""
        is_text = not len(element) and _NAMING.isdisjoint(names)
        text = element.text if is_text else None
        if text is None or text.isspace() or element is self.focus:
            self.add(element, role, content_name(self.document, element, names), properties, out)
        else:  # what most links and cells are: nothing but a text, which `lay_out` would drop, for the name says it
            out.append(Node(role, squeezed(text), properties, (), element))


def _skip(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    """An element that is not shown."""


def _structure(role: str) -> Handler:
    def handle(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
        name = stated_name(builder.document, element, names)
        builder.add(element, role, name, (), out)

    return handle


def _from_content(role: str) -> Handler:
    def handle(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
        builder.add_named(element, role, (), out, names)

    return handle


def _link(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    if "href" not in names:
        builder.inside(element, out)
        return
    builder.add_named(element, "link", _aria(element, names), out, names)


def _image(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    if element.get("alt") != "":
        name = image_name(builder.document, element, names)
        out.append(Node(role="image", name=name, ref=element))


def _section(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name = stated_name(builder.document, element, names)
    if name:
        builder.add(element, "region", name, (), out)
    else:
        builder.inside(element, out)


def _footer(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    if any(ancestor.tag in _SECTIONING for ancestor in element.iterancestors()):
        builder.inside(element, out)
    else:
        _structure("contentinfo")(builder, element, out, names)


def _separator(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    out.append(Node(role="separator", properties=(("orientation", "horizontal"),), ref=element))


def _fieldset(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name, legend = stated_name(builder.document, element, names), element.find("legend")
    if not name and legend is not None:
        name = content(builder.document, legend)
    builder.add(element, "group", name, (), out)


def _abbreviation(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name = stated_name(builder.document, element, names) or squeezed(element.get("title", ""))
    builder.add(element, "Abbr", name, (), out)


def _details(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    if "open" in names:
        builder.inside(element, out)
        return
    summary = element.find("summary")
    if summary is not None:
        _summary(builder, summary, out, summary.keys())


def _summary(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    parent = element.getparent()
    is_open = parent is not None and "open" in parent.attrib
    name = content_name(builder.document, element, names)
    builder.add(element, "DisclosureTriangle", name, (_EXPANDED[is_open],), out)


# ------------------------------------------------------------------------------------------------------------ tables


def _table(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    caption = element.find("caption")
    name = stated_name(builder.document, element, names)
    around, builder.in_layout = builder.in_layout, is_layout(element)
    if not name and caption is not None and not builder.in_layout:
        name = content(builder.document, caption)
    builder.add(element, "LayoutTable" if builder.in_layout else "table", name, (), out)
    builder.in_layout = around


def _row(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    if builder.in_layout:
        builder.inside(element, out)
    else:
        name = stated_name(builder.document, element, names)
        cells: list[Node] = []
        builder.inside(element, cells)
        out.append(Node(role="row", name=name, children=cells, ref=element))


def _cell(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    builder.add_named(element, "LayoutTableCell" if builder.in_layout else "cell", (), out, names)


def _header_cell(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name = content_name(builder.document, element, names)
    if builder.in_layout:
        builder.add(element, "LayoutTableCell", name, (), out)
        return
    scope = element.get("scope", "").lower()
    if scope in ("row", "rowgroup"):
        is_row = True
    elif scope in ("col", "colgroup"):
        is_row = False
    else:
        beside = (element.getprevious(), element.getnext())
        is_row = any(cell is not None and cell.tag == "td" for cell in beside)
    builder.add(element, "rowheader" if is_row else "columnheader", name, _HEADER, out)


# ---------------------------------------------------------------------------------------------------------- controls


def _label(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    ticked = ticked_by(builder.document, element)
    if ticked is None:
        builder.inside(element, out)
    elif is_redundant(element, ticked):
        if len(element):
            _input(builder, ticked, out, ticked.keys())
    else:
        children: list[Node] = []
        builder.inside(element, children)
        out.append(Node("LabelText", children=children, ref=element))


def _state(builder: Builder, element: Element, *rest: Property) -> tuple[Property, ...]:
    """The properties that every control begins with, then `rest`."""
    properties: tuple[Property, ...] = rest
    if element is builder.focus:
        properties = (_FOCUSED, *properties)
    if element.get("disabled") is not None or is_in_disabled_group(builder.document, element):
        properties = (_DISABLED, *properties)
    return properties


def _aria(element: Element, names: Names) -> tuple[Property, ...]:
    """States that attributes give to a link or button."""
    if _STATES.isdisjoint(names):
        return ()
    attributes = element.attrib
    found: list[Property] = []
    if "aria-haspopup" in attributes:
        popup = attributes["aria-haspopup"]
        found.append(("hasPopup", "menu" if popup == "true" else popup))
    if attributes.get("aria-expanded") in ("true", "false"):
        found.append(_EXPANDED[attributes["aria-expanded"] == "true"])
    if attributes.get("aria-pressed") in ("true", "false", "mixed"):
        found.append(("pressed", attributes["aria-pressed"]))
    return tuple(found)


def _button(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name, properties = control_name(builder.document, element, names), _state(builder, element, *_aria(element, names))
    children: list[Node] = []
    builder.inside(element, children)
    out.append(Node("button", name, properties, children, element))


def _input(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    kind = kind_of(element)
    if kind == "hidden":
        return
    node = Node("textbox", control_name(builder.document, element, names), ref=element)
    node.is_readonly = "readonly" in names
    out.append(node)
    required = _REQUIRED["required" in names]
    if kind in BUTTON_TYPES or kind == "file":
        node.role, node.properties = "button", _state(builder, element)
        if kind != "file":
            node.children = (Node("StaticText", button_text(element), ref=element),)
    elif kind in ("checkbox", "radio"):
        node.role, node.properties = kind, _state(builder, element, _CHECKED[is_checked(element)])
    elif kind in ("number", "range"):
        bounds = _bounds(element, *(("0", "0") if kind == "number" else ("0", "100")))
        node.role = "spinbutton" if kind == "number" else "slider"
        first = required if kind == "number" else ("orientation", "horizontal")
        node.properties = _state(builder, element, first, *bounds, ("valuetext", value_of(element)))
        if kind == "number":
            node.children = _lines_held(element)
    elif kind == "search":
        node.role, node.properties = "searchbox", _state(builder, element)
        node.children = _lines_held(element)
    elif kind in ("text", "password", "email", "tel", "url"):
        node.properties = _state(builder, element, required)
        if "list" in names:
            node.role = "combobox"
            node.properties = _state(builder, element, *_LISTED, required)
        node.children = _lines_held(element)
    else:
        node.role, node.properties = _VALUE_ROLES.get(kind, "DateTime"), _state(builder, element)
        node.children = _lines_held(element)


def _bounds(element: Element, low: str, high: str) -> tuple[Property, Property]:
    return ("valuemin", _number(element.get("min"), low)), ("valuemax", _number(element.get("max"), high))


def _number(text: str | None, default: str) -> str:
    try:
        return default if text is None else f"{float(text):g}"
    except ValueError:
        return default


def _textarea(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    node = Node("textbox", control_name(builder.document, element, names), ref=element, is_multiline=True)
    node.is_readonly = "readonly" in names
    node.properties = _state(builder, element, _REQUIRED["required" in names])
    node.children = _lines_held(element)
    out.append(node)


def _lines_held(field: Element) -> list[Node]:
    """What a field shows, a text for each of its lines."""
    return [Node("StaticText", line, ref=field) for line in shown_value(field).split("\n") if line.strip()]


def _select(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
    name = control_name(builder.document, element, names)
    if is_menu(element):
        role, properties = "combobox", _state(builder, element, _MENU, _EXPANDED[False])
    else:
        many = ("multiselectable", str("multiple" in names))
        rest = (many, ("orientation", "vertical"), _REQUIRED["required" in names])
        role, properties = "listbox", _state(builder, element, *rest)
    chosen = set(chosen_options(element))
    children: list[Node] = []
    for child in element:
        if child.tag == "option":
            children.append(_option(builder, child, chosen))
        elif child.tag == "optgroup":
            options = [_option(builder, option, chosen) for option in child.iter("option")]
            children.append(Node("group", squeezed(child.get("label", "")), children=options))
    out.append(Node(role, name, properties, children, element))


def _option(builder: Builder, option: Element, chosen: set[Element]) -> Node:
    is_off = option.get("disabled") is not None or is_in_disabled_group(builder.document, option)
    state = _DISABLED if is_off else _SELECTED[option in chosen]
    return Node("option", option_text(option), (state,), ref=option)


def _range_shown(role: str, low: str, high: str) -> Handler:
    def handle(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
        name = stated_name(builder.document, element, names)
        out.append(Node(role, name, (*_bounds(element, low, high), ("valuetext", "")), ref=element))

    return handle


def _live(role: str) -> Handler:
    def handle(builder: Builder, element: Element, out: list[Node], names: Names) -> None:
        builder.add(element, role, stated_name(builder.document, element, names), _LIVE[role], out)

    return handle


_SKIPPED = words(
    "script style template noscript head link meta base title datalist source track param svg iframe audio video "
    "canvas object embed br rt rp"
)
_PLAIN_ROLES: Mapping[str, str] = {
    "ul": "list", "ol": "list", "menu": "list", "li": "listitem", "p": "paragraph", "nav": "navigation",
    "header": "banner", "figure": "figure",
}  # fmt: skip
_OWN_ROLES: Mapping[str, str] = {
    **_PLAIN_ROLES, "main": "main", "form": "form", "table": "table", "search": "search", "button": "button",
    "footer": "contentinfo", "aside": "complementary", "article": "article", "tr": "row", "section": "region",
}  # fmt: skip
_HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(_SKIPPED, _skip),
    "a": _link,
    "img": _image,
    "button": _button,
    "input": _input,
    "textarea": _textarea,
    "select": _select,
    "label": _label,
    "table": _table,
    "tr": _row,
    "td": _cell,
    "th": _header_cell,
    "section": _section,
    "footer": _footer,
    "hr": _separator,
    "fieldset": _fieldset,
    "abbr": _abbreviation,
    "details": _details,
    "summary": _summary,
    "dt": _from_content("term"),
    "dfn": _from_content("term"),
    "main": _structure("main"),
    "form": _structure("form"),
    "article": _structure("article"),
    "aside": _structure("complementary"),
    "search": _structure("search"),
    "del": _structure("deletion"),
    "s": _structure("deletion"),
    "ins": _structure("insertion"),
    "output": _live("status"),
    "progress": _range_shown("progressbar", "0", "1"),
    "meter": _range_shown("meter", "0", "1"),
    **{f"h{level}": _from_content("heading") for level in range(1, 7)},
}


def accessibility_tree(document: Document) -> Node:
    """The nodes of a page."""
    return Builder(document).root()
