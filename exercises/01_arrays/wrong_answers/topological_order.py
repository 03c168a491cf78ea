"""Wrong answers to `topological_order` that a student writes; exercises.toml says what is wrong with each."""


def every_path_again(output):
    order = []

    def visit(node):
        for parent in node.parents:
            visit(parent)
        order.append(node)

    visit(output)
    return order


def listed_on_the_way_down(output):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            order.append(node)
            for parent in node.parents:
                visit(parent)

    visit(output)
    return order[::-1]


def level_by_level(output):
    order, level = [], [output]
    while level:
        order += [node for node in dict.fromkeys(level) if node not in order]
        level = [parent for node in level for parent in node.parents if parent not in order]
    return order[::-1]


def output_first(output):
    return _right(output)[::-1]


def output_left_out(output):
    return _right(output)[:-1]


def starts_left_out(output):
    return [node for node in _right(output) if node.parents]


def equal_values_are_one_node(output):
    order, seen = [], []

    def visit(node):
        if node.value.tolist() not in seen:
            seen.append(node.value.tolist())
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    return order


def first_parents_only(output):
    order = [output]
    while order[-1].parents:
        order.append(order[-1].parents[0])
    return order[::-1]


def _right(output):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    return order


def marks_left_on_the_nodes(output):
    order = []

    def visit(node):
        if getattr(node, "visited", False):
            return
        node.visited = True
        for parent in node.parents:
            visit(parent)
        order.append(node)

    visit(output)
    return order
