"""Browsing and searching products, by the database alone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.apps import apps
from django.db.models import Min, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponsePermanentRedirect
from django.shortcuts import get_object_or_404
from django.views.generic import ListView

PRODUCTS_PER_PAGE = 20

SORTS = (
    ("relevancy", "Relevancy", ("pk",)),
    ("rating", "Customer rating", ("-rating", "pk")),
    ("newest", "Newest", ("-date_created", "-pk")),
    ("price-desc", "Price high to low", ("-lowest_price", "pk")),
    ("price-asc", "Price low to high", ("lowest_price", "pk")),
    ("title-asc", "Title A to Z", ("title", "pk")),
    ("title-desc", "Title Z to A", ("-title", "pk")),
)
"""What Oscar's own form offers: value, label, and what it means to the database."""


class SortForm(forms.Form):  # type: ignore[misc]  # Django has no types
    """The field that Oscar's templates show above a list."""

    sort_by = forms.ChoiceField(label="Sort by", choices=[(value, label) for value, label, _ in SORTS], required=False)


class _Found:
    """A row as Oscar's templates expect it of Haystack."""

    def __init__(self, product: Any) -> None:
        self.object = product


class _ProductList(ListView):  # type: ignore[misc]  # Django has no types
    paginate_by = PRODUCTS_PER_PAGE
    context_object_name = "products"
    title = "All products"

    def candidates(self) -> QuerySet[Any]:
        """The products of this page before they are sorted."""
        products: QuerySet[Any] = apps.get_model("catalogue", "Product").objects.browsable().base_queryset()
        return products

    def get_queryset(self) -> QuerySet[Any]:
        wanted = self.request.GET.get("sort_by") or "relevancy"
        order = {value: columns for value, _, columns in SORTS}.get(wanted, ("pk",))
        return self.candidates().annotate(lowest_price=Min("stockrecords__price")).order_by(*order)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        form = SortForm(self.request.GET)
        found = [_Found(product) for product in context["object_list"]]
        context["page_obj"].object_list = found
        return context | {"summary": self.title, "form": form, "page": context["page_obj"], "products": found}


class CatalogueView(_ProductList):
    """All products."""

    template_name = "oscar/catalogue/browse.html"


class ProductCategoryView(_ProductList):
    """The products of a category and of those below it."""

    template_name = "oscar/catalogue/category.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The page, at the category's own address only."""
        self.category = get_object_or_404(apps.get_model("catalogue", "Category"), pk=self.kwargs["pk"])
        if not self.category.is_public and not request.user.is_staff:
            raise Http404
        if self.category.get_absolute_url() != request.path:
            return HttpResponsePermanentRedirect(self.category.get_absolute_url())
        self.title = self.category.name
        return super().get(request, *args, **kwargs)

    def candidates(self) -> QuerySet[Any]:
        """Those of the category's branch, each once."""
        return super().candidates().filter(categories__in=self.category.get_descendants_and_self()).distinct()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the template shows, with the category."""
        return super().get_context_data(**kwargs) | {"category": self.category}


class FacetedSearchView(_ProductList):
    """The products whose title, number or description has every word that was asked for."""

    template_name = "oscar/search/results.html"

    def candidates(self) -> QuerySet[Any]:
        """The products found; none where nothing was asked for."""
        products = super().candidates()
        words = self.request.GET.get("q", "").split()
        for word in words:
            products = products.filter(
                Q(title__icontains=word) | Q(upc__icontains=word) | Q(description__icontains=word)
            )
        return products if words else products.none()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the template shows, with what was asked for."""
        context = super().get_context_data(**kwargs)
        # this page takes its sorting from the search form
        return context | {"query": self.request.GET.get("q", ""), "search_form": _with_query(context["form"], self)}


def _with_query(form: SortForm, view: FacetedSearchView) -> SortForm:
    form.fields["q"] = forms.CharField(label="Search", required=False, widget=forms.TextInput({"type": "search"}))
    return form
