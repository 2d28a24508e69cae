"""The program on the terminal: a tree to the left, what is under the cursor to the right."""

import asyncio
import os
from contextlib import suppress
from signal import SIGTERM
from threading import Lock
from time import sleep
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Footer, Input, Static
from textual.worker import Worker, get_current_worker

from paramctl.browse.catalog import Catalog
from paramctl.browse.panel import Panel
from paramctl.browse.reading import Abandoned, Measured, format_slice, measure
from paramctl.browse.tree import ParameterTree
from paramctl.checkpoint import Checkpoint
from paramctl.layers import build_layers
from paramctl.views.escaping import escape

KILLED = 128 + SIGTERM  # what a shell says of a program that it killed
PATIENCE = 0.05  # seconds that the cursor rests before anything is read


class Browser(App[None], inherit_bindings=False):
    """The explorer of a model, or of two side by side."""

    CSS_PATH = "style.tcss"
    TITLE = "paramctl browse"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "slice", "Slice", key_display="[", priority=True),
        Binding("tab", "switch", "Panel", priority=True),
        Binding("ctrl+d", "toggle_differences", "Differences", priority=True),
        Binding("escape", "clear", "Clear"),
        Binding("ctrl+q", "quit", "Quit", priority=True),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
        Binding("backspace", "erase", show=False),
        Binding("up", "move('cursor_up')", show=False),
        Binding("down", "move('cursor_down')", show=False),
        Binding("pageup", "move('page_up')", show=False),
        Binding("pagedown", "move('page_down')", show=False),
    ]

    class Measuring(Message):
        """So many bytes of a parameter were read."""

        def __init__(self, parameter: str, done: int, total: int) -> None:
            self.parameter, self.done, self.total = parameter, done, total
            super().__init__()

    class Known(Message):
        """A parameter was read whole."""

        def __init__(self, parameter: str, measured: Measured) -> None:
            self.parameter, self.measured = parameter, measured
            super().__init__()

    class Formatted(Message):
        """The values of a slice of a parameter were read, in each model that has it."""

        def __init__(self, parameter: str, index: str, texts: dict[int, str]) -> None:
            self.parameter, self.index, self.texts = parameter, index, texts
            super().__init__()

    def __init__(self, first: Checkpoint, second: Checkpoint | None = None) -> None:
        super().__init__()
        self.animation_level = "none"  # also quick over a slow line
        self.catalog = Catalog(first, second)
        self.under_cursor: str | None = None
        self.filter_text = ""
        self.only_different = False
        self._one_at_a_time = Lock()  # a pass lets go of the files that it has read

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        files = [escape(side.checkpoint.file) for side in self.catalog.sides]
        title = Text("  |  ".join(os.path.basename(file) or file for file in files))
        yield Static(Text("  |  ".join(files), no_wrap=True, overflow="ellipsis"), id="head")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield ParameterTree(self.catalog, title)
                with Horizontal(id="search"):
                    yield Static(_prompt(""), id="filter")
                    yield Static(id="count")
            with Vertical(id="right"):
                yield Panel(self.catalog)
                line = Input(placeholder="a slice, as in numpy: 0, :5", id="slice")
                line.display = False
                yield line
        yield Footer()

    def on_mount(self) -> None:
        """Show everything, the cursor on the model; a kill leaves the terminal as it was."""
        with suppress(NotImplementedError):  # on Windows
            asyncio.get_running_loop().add_signal_handler(SIGTERM, self._end_killed)
        self.app_resume_signal.subscribe(self, self._draw_again)
        self._show_matching()
        self.parameters.focus()

    def _draw_again(self, _: App[None]) -> None:
        self.screen.refresh(layout=True)

    def _end_killed(self) -> None:
        self.exit(return_code=KILLED)

    @property
    def parameters(self) -> ParameterTree:
        """The tree of parameters."""
        return self.query_one(ParameterTree)

    @property
    def panel(self) -> Panel:
        """The side panel."""
        return self.query_one(Panel)

    @property
    def slice(self) -> Input:
        """The line that a slice is typed in."""
        return self.query_one("#slice", Input)

    # what is under the cursor

    def on_tree_node_highlighted(self) -> None:
        """Tell what the cursor is on, and begin to read it."""
        node = self.parameters.cursor_node
        name = node.data.name if node and node.data and not node.is_root else None
        self.workers.cancel_all()
        self.under_cursor = name
        self.panel.tell(name, is_model=bool(node and node.is_root))
        if name is not None and self.catalog.is_parameter(name):
            self.measure(name)
            self.read_values(name, self.slice.value, self.panel.room)

    @work(thread=True, exclusive=True, group="statistics")
    def measure(self, name: str) -> None:
        """Read a parameter for its statistics; stop when the cursor has moved on."""
        worker = get_current_worker()
        sleep(PATIENCE)

        def progress(done: int, total: int) -> None:
            _go_on(worker)
            self.post_message(self.Measuring(name, done, total))

        try:
            with self._one_at_a_time:
                _go_on(worker)
                found = measure(self.catalog, name, progress)
        except Abandoned:
            return
        self.post_message(self.Known(name, found))

    @work(thread=True, exclusive=True, group="values")
    def read_values(self, name: str, index: str, width: int) -> None:
        """Read the values of a slice."""
        worker = get_current_worker()
        sleep(PATIENCE)
        if worker.is_cancelled:
            return
        texts = {
            place: format_slice(side, name, index, width)
            for place, side in enumerate(self.catalog.sides)
            if name in side.rows
        }
        self.post_message(self.Formatted(name, index, texts))

    def on_browser_measuring(self, message: Measuring) -> None:
        """Say how far it is."""
        if message.parameter == self.under_cursor:
            self.panel.tell_progress(message.done, message.total)

    def on_browser_known(self, message: Known) -> None:
        """Say what a parameter comes to, if the cursor is still there."""
        if message.parameter == self.under_cursor:
            self.panel.tell_statistics(message.measured)

    def on_browser_formatted(self, message: Formatted) -> None:
        """Show values, if they are still those that are asked for."""
        if message.parameter == self.under_cursor and message.index == self.slice.value:
            self.panel.tell_values(message.texts)

    # the keys

    def on_parameter_tree_typed(self, message: ParameterTree.Typed) -> None:
        """Filter by what is typed."""
        self._filter(self.filter_text + message.text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Read another slice."""
        name = self.under_cursor
        if name is not None and self.catalog.is_parameter(name):
            self.read_values(name, event.value, self.panel.room)

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Go back to the tree, with the slice that was typed."""
        self.parameters.focus()

    def action_erase(self) -> None:
        """Take the last character of the filter back."""
        self._filter(self.filter_text[:-1])

    def action_slice(self) -> None:
        """Type a slice."""
        self.slice.display = True
        self.screen.set_focus(self.slice)  # at once: the next character may have been typed already

    def action_clear(self) -> None:
        """Take back the slice, or else the filter; stay at what the cursor is on."""
        if self.slice.display:
            self.slice.display = False
            self.slice.clear()
        else:
            self._filter("")
        self.parameters.focus()

    def action_switch(self) -> None:
        """Go from the tree to the panel, to scroll it, or back."""
        (self.parameters if self.panel.has_focus else self.panel).focus()

    def action_move(self, how: str) -> None:
        """Move in the tree while typing."""
        getattr(self.parameters, f"action_{how}")()

    def action_toggle_differences(self) -> None:
        """Show what differs between the two models only, or everything again."""
        self.only_different = not self.only_different
        self._show_matching()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer the key of differences only where there are two models."""
        return action != "toggle_differences" or len(self.catalog.sides) > 1

    def _filter(self, text: str) -> None:
        """Filter by a text, once nothing more is typed."""
        if text != self.filter_text:
            self.filter_text = text
            self.query_one("#filter", Static).update(_prompt(text))
            self.call_after_refresh(self._show_matching_to, text)

    def _show_matching_to(self, text: str) -> None:
        if text == self.filter_text:
            self._show_matching()

    def _show_matching(self) -> None:
        """Show what the filter lets through."""
        names = self.catalog.matching(self.filter_text, only_different=self.only_different)
        is_part = len(names) < len(self.catalog.names)
        differing = " that differ" if self.only_different else ""
        count = f"{len(names):,} of {len(self.catalog.names):,}{differing}"
        self.query_one("#count", Static).update(Text(count if is_part or differing else ""))
        root = build_layers(names) if is_part else self.catalog.root
        to_first = bool(self.filter_text)
        self.parameters.show(root, self.under_cursor, to_first=to_first)


def _prompt(text: str) -> Text:
    return Text(escape(text), no_wrap=True) if text else Text("type to filter", "dim")


def _go_on(worker: Worker[None]) -> None:
    if worker.is_cancelled:
        raise Abandoned
