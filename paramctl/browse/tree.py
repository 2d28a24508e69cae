"""The tree of layers and parameters; what is in a layer is put there when it is unfolded."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from paramctl.browse.branches import Branch, branches_in, count_in
from paramctl.browse.catalog import Catalog
from paramctl.browse.labels import label_of
from paramctl.layers import Layer

OPEN_LINES = 40  # layers are unfolded from the top down while the tree has no more lines
Node = TreeNode[Branch]


class ParameterTree(Tree[Branch]):
    """The tree; what is typed in it is for the filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "fold", "Fold", key_display="←"),
        Binding("right", "unfold", "Unfold", key_display="→"),
    ]

    class Typed(Message):
        """Text was typed or pasted that is no key of the tree."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    def __init__(self, catalog: Catalog, title: Text) -> None:
        super().__init__(title, id="tree")
        self.catalog = catalog
        self.guide_depth = 3

    def show(self, root: Layer, name: str | None, *, to_first: bool) -> None:
        """Show the layers below `root`, the cursor on a parameter or layer, or on the first one.

        Without a name it is on the model, as it is where nothing is below `root`.
        """
        self._grow(root)
        wanted = _first_parameter(root) if to_first and root.children else name
        node = self.root if wanted is None else self._lead_to(wanted)
        self.call_after_refresh(self._go_to, node)

    def _go_to(self, node: Node) -> None:
        if self.last_line >= 0:  # asking for it gives the nodes their lines
            self.move_cursor(node)
        self.post_message(self.NodeHighlighted(node))  # also where the line is the one before

    def _grow(self, root: Layer) -> None:
        """Put in the layers below `root`, as many unfolded as fit on a screen."""
        self.clear()
        self.root.data = Branch("", root, list(root.children.items()))
        level, room = [self.root], OPEN_LINES
        while level:
            room -= sum(count_in(node.data) for node in level if node.data)
            if room < 0 and len(level) > 1:
                break
            below = [child for node in level for child in self._fill(node)]
            for node in level:
                node.expand()
            level = [child for child in below if child.allow_expand]

    def _lead_to(self, name: str) -> Node:
        """Unfold what leads to a parameter or layer, and return its node, or the nearest above."""
        node = self.root
        while node.data and (node.is_root or node.data.name != name):
            inside = self._fill(node)
            inner = next(
                (child for child in inside if child.data and child.data.leads_to(name)), None
            )
            if inner is None:
                break
            node.expand()
            node = inner
        return node

    def _fill(self, node: Node) -> list[Node]:
        """Put into a node what is in it, unless it is there; return it."""
        if node.data and not node.children:
            for branch in branches_in(node.data, self.catalog.types):
                label = label_of(branch, self.catalog)
                node.add(label, branch, allow_expand=bool(branch.inside))
        return list(node.children)

    def on_tree_node_expanded(self, event: "Tree.NodeExpanded[Branch]") -> None:
        """Fill a layer when it is unfolded."""
        self._fill(event.node)

    def on_key(self, event: Key) -> None:
        """Hand on what is typed."""
        if event.character and event.is_printable:
            event.prevent_default()
            event.stop()
            self.post_message(self.Typed(event.character))

    def on_paste(self, event: Paste) -> None:
        """Hand on the first line of what is pasted."""
        event.stop()
        self.post_message(self.Typed("".join(event.text.splitlines()[:1])))

    def action_fold(self) -> None:
        """Fold a layer; of what is folded, go to the layer that it is in."""
        node = self.cursor_node
        if node and node.is_expanded and node.allow_expand and not node.is_root:
            node.collapse()
        elif node and node.parent:
            self.move_cursor(node.parent)

    def action_unfold(self) -> None:
        """Unfold a layer; of what is unfolded, go to the first thing in it."""
        node = self.cursor_node
        if not node or not node.allow_expand:
            return
        if node.is_expanded and node.children:
            self.move_cursor(node.children[0])
        else:
            self._fill(node)
            node.expand()


def _first_parameter(layer: Layer) -> str:
    while layer.children and not layer.is_parameter:
        layer = next(iter(layer.children.values()))
    return layer.name
