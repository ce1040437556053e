/** Tarjan's components with more than one member, without recursion: a history may be long. */
export function stronglyConnected<Node>(nodes: readonly Node[], next: (node: Node) => readonly Node[]): Node[][] {
  const index = new Map<Node, number>();
  const low = new Map<Node, number>();
  const path: Node[] = [];
  const onPath = new Set<Node>();
  const circles: Node[][] = [];
  for (const root of nodes) {
    if (index.has(root)) continue;
    const work: { node: Node; neighbours: Iterator<Node> }[] = [];
    const enter = (node: Node): void => {
      index.set(node, index.size);
      low.set(node, index.get(node) ?? 0);
      path.push(node);
      onPath.add(node);
      work.push({ node, neighbours: next(node)[Symbol.iterator]() });
    };
    enter(root);
    for (let top = work.at(-1); top !== undefined; top = work.at(-1)) {
      const { node, neighbours } = top;
      const step = neighbours.next();
      if (step.done !== true) {
        if (!index.has(step.value)) enter(step.value);
        else if (onPath.has(step.value)) lower(low, node, index.get(step.value) ?? 0);
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent !== undefined) lower(low, parent.node, low.get(node) ?? 0);
      if (low.get(node) !== index.get(node)) continue;
      const circle = path.splice(path.lastIndexOf(node));
      for (const member of circle) onPath.delete(member);
      if (circle.length > 1) circles.push(circle);
    }
  }
  return circles;
}

function lower<Node>(low: Map<Node, number>, node: Node, to: number): void {
  low.set(node, Math.min(low.get(node) ?? to, to));
}
