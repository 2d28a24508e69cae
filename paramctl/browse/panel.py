"""The side panel: what is under the cursor, its statistics and its values."""

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import Resize
from textual.widgets import Static

from paramctl.browse import facts, findings
from paramctl.browse.catalog import Catalog
from paramctl.browse.labels import DIM
from paramctl.browse.reading import Measured
from paramctl.views.clipping import clip
from paramctl.views.escaping import escape

PARTS = ("name", "facts", "difference", "statistics", "histogram", "values")
NAME_LINES = 3  # at most


class Panel(VerticalScroll):
    """The panel; its parts stand one below the other, those that say nothing left out."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(id="panel")
        self.catalog = catalog
        self._sides = len(catalog.sides)
        self._measured: Measured | None = None

    @property
    def room(self) -> int:
        """The cells that a line of it has."""
        return max(self.scrollable_content_region.width, 8)

    def compose(self) -> ComposeResult:
        """Make the parts."""
        for part in PARTS:
            yield Static(id=part)

    def tell(self, name: str | None, *, is_model: bool) -> None:
        """Say what is known of the model, or a layer or parameter; a page of a layer is nothing."""
        self._measured = None
        with self.app.batch_update():
            for part in PARTS:
                self._put(part, Text())
            if is_model:
                self._put("facts", facts.tell_model(self.catalog))
            elif name is not None:
                label = escape(name) or "''"
                self._put("name", Text(clip(label, NAME_LINES * self.room), "bold"))
                self._put("facts", self._facts(name))
        self.scroll_home(animate=False)

    def _facts(self, name: str) -> RenderableType:
        if self.catalog.is_parameter(name):
            return facts.tell_parameter(self.catalog, name)
        return facts.tell_layer(self.catalog, name)

    def tell_progress(self, done: int, total: int) -> None:
        """Say how much of a parameter is read."""
        self._put("statistics", Text(f"reading: {done / max(total, 1):.0%}", DIM))

    def tell_statistics(self, measured: Measured) -> None:
        """Say what the values come to, and draw them."""
        self._measured = measured
        with self.app.batch_update():
            self._put_found(measured)

    def _put_found(self, measured: Measured) -> None:
        self._put("difference", findings.tell_difference(measured))
        self._put("statistics", findings.tell_statistics(measured, self._sides))
        self._draw(measured)

    def tell_values(self, texts: dict[int, str]) -> None:
        """Show the values of a slice, or of all, in each model that has them."""
        self._put("values", findings.tell_values(texts, self._sides))

    def on_resize(self, _: Resize) -> None:
        """Draw the histogram as wide as the panel is now."""
        if self._measured:
            self._draw(self._measured)

    def _draw(self, measured: Measured) -> None:
        self._put("histogram", findings.draw_all(measured, self._sides, self.room))

    def _put(self, part: str, content: RenderableType) -> None:
        widget = self.query_one(f"#{part}", Static)
        if content or widget.display:
            widget.update(content)
            widget.display = bool(content)
