import { stripTypeScriptTypes } from 'node:module';
import { parse } from 'acorn';
import { generate } from 'astring';

/**
 * Rewrites modules of the source so that a scheduler can stop them before every access to shared memory.
 *
 * - A function that touches memory, or calls one that does, becomes a generator; its calls become `yield*`.
 * - `o[i]`, `o[i] = v`, `o[i] += v` and `Atomics.op(o, i, …)` yield the place they are about to touch when `o` is shared.
 * - A bulk copy is not one access: its helper copies text in two halves, words one by one, with a step before each.
 * What is executed between two steps is the source's own code.
 */
export interface Module {
  readonly name: string;
  readonly source: string;
}

// biome-ignore lint/suspicious/noExplicitAny: an ESTree node: what it holds depends on its type
type Tree = any;

/** Functions outside the modules that are steps: what stands in for the system, in runtime.ts. */
const systemCalls = ['kernelThreadState'];
const bulkCalls = new Set(['latin1Write', 'latin1Slice', 'ucs2Slice', 'fill']);

/** @param notifies whether a notification is a step, too; else nothing is left of it: sleepers may wake at any time
 *  @returns the modules as JavaScript. Functions are told apart by name, the same in all of them. */
export function transform(modules: readonly Module[], notifies = false): Module[] {
  const trees = modules.map(({ source }) =>
    parse(stripTypeScriptTypes(source, { mode: 'strip' }), { ecmaVersion: 'latest', sourceType: 'module' }),
  );
  const stepping = steppingNames(trees);
  return trees.map((tree, n) => {
    for (const { name, body } of functionsOf(tree)) if (stepping.has(name)) makeGenerator(body, stepping, notifies);
    const source = `import { $shared, $place, $bulk, $fill, $wait, $notify } from './$runtime.mjs';\n${generate(tree)}`;
    return { name: modules[n].name, source };
  });
}

const isNode = (value: unknown): boolean => typeof (value as Tree)?.type === 'string';
const isFunction = (node: Tree): boolean => /Function/.test(node.type);
const childrenOf = (node: Tree): Tree[] => Object.values(node).flat().filter(isNode);
const nameOf = (node: Tree): string => (node.type === 'PrivateIdentifier' ? `#${node.name}` : node.name);

function calledName({ callee }: Tree): string | undefined {
  if (callee.type === 'Identifier') return callee.name;
  return callee.type === 'MemberExpression' && !callee.computed ? nameOf(callee.property) : undefined;
}

const isAtomics = (node: Tree): boolean =>
  node.type === 'CallExpression' && node.callee.type === 'MemberExpression' && node.callee.object.name === 'Atomics';
const isElement = (node: Tree): boolean => node.type === 'MemberExpression' && node.computed;

/** Functions that can become generators: declarations and methods, not constructors, accessors and arrows. */
function functionsOf(node: Tree): { name: string; body: Tree }[] {
  const here: { name: string; body: Tree }[] = [];
  if (node.type === 'FunctionDeclaration') here.push({ name: nameOf(node.id), body: node });
  if (node.type === 'MethodDefinition' && node.kind === 'method')
    here.push({ name: nameOf(node.key), body: node.value });
  return [...here, ...childrenOf(node).flatMap(functionsOf)];
}

/** Names of the functions that touch memory, or call one that does: to the fixed point. */
function steppingNames(trees: readonly Tree[]): Set<string> {
  const functions = trees.flatMap(functionsOf);
  const stepping = new Set<string>(systemCalls);
  const steps = (node: Tree): boolean =>
    isElement(node) ||
    isAtomics(node) ||
    (node.type === 'CallExpression' &&
      (stepping.has(calledName(node) ?? '') || bulkCalls.has(calledName(node) ?? ''))) ||
    childrenOf(node).some((child) => !isFunction(child) && steps(child));
  for (let before = -1; before !== stepping.size; ) {
    before = stepping.size;
    for (const { name, body } of functions) if (childrenOf(body).some(steps)) stepping.add(name);
  }
  return stepping;
}

const id = (name: string): Tree => ({ type: 'Identifier', name });
const call = (callee: string, args: Tree[]): Tree => ({ type: 'CallExpression', callee: id(callee), arguments: args });
const assign = (left: Tree, right: Tree, operator = '='): Tree => ({
  type: 'AssignmentExpression',
  operator,
  left,
  right,
});
const sequence = (expressions: Tree[]): Tree => ({ type: 'SequenceExpression', expressions });
const yields = (argument: Tree, delegate = false): Tree => ({ type: 'YieldExpression', argument, delegate });

function makeGenerator(fn: Tree, stepping: ReadonlySet<string>, notifies: boolean): void {
  const temporaries: string[] = [];
  fn.generator = true;
  fn.body = rewrite(fn.body);
  if (temporaries.length > 0) {
    const declarations = temporaries.map((name) => ({ type: 'VariableDeclarator', id: id(name), init: null }));
    fn.body.body.unshift({ type: 'VariableDeclaration', kind: 'let', declarations });
  }

  function temporary(): Tree {
    const name = `$t${temporaries.length}`;
    temporaries.push(name);
    return id(name);
  }

  /** `$shared(o) && (yield $place(o, i, mode))` */
  function step(object: Tree, index: Tree, mode: string): Tree {
    const place = call('$place', [object, index, { type: 'Literal', value: mode }]);
    return { type: 'LogicalExpression', operator: '&&', left: call('$shared', [object]), right: yields(place) };
  }

  function element(member: Tree, mode: string, use: (element: Tree) => Tree, value?: Tree): Tree {
    const object = temporary();
    const index = temporary();
    const parts = [assign(object, rewrite(member.object)), assign(index, rewrite(member.property))];
    if (value !== undefined) parts.push(value);
    const same = { type: 'MemberExpression', computed: true, object, property: index };
    return sequence([...parts, step(object, index, mode), use(same)]);
  }

  function rewrite(node: Tree): Tree {
    if (!isNode(node) || isFunction(node)) return node;
    if (node.type === 'AssignmentExpression' && isElement(node.left)) {
      const value = temporary();
      const mode = node.operator === '=' ? 'w' : 'u';
      return element(node.left, mode, (at) => assign(at, value, node.operator), assign(value, rewrite(node.right)));
    }
    if (node.type === 'UpdateExpression' && isElement(node.argument)) {
      return element(node.argument, 'u', (at) => ({ ...node, argument: at }));
    }
    if (isElement(node)) return element(node, 'r', (at) => at);
    if (isAtomics(node)) return atomics(node);
    if (node.type === 'CallExpression') {
      const name = calledName(node) ?? '';
      if (bulkCalls.has(name)) {
        const args = [rewrite(node.callee.object), ...node.arguments.map(rewrite)];
        if (name === 'fill') return yields(call('$fill', args), true);
        return yields(call('$bulk', [{ type: 'Literal', value: name }, ...args]), true);
      }
      const rewritten = parts(node);
      return stepping.has(name) ? yields(rewritten, true) : rewritten;
    }
    return parts(node);
  }

  function parts(node: Tree): Tree {
    for (const [key, value] of Object.entries(node)) {
      if (Array.isArray(value)) node[key] = value.map(rewrite);
      else if (isNode(value)) node[key] = rewrite(value);
    }
    return node;
  }

  function atomics(node: Tree): Tree {
    const operation = node.callee.property.name;
    if (operation === 'notify' && notifies) return yields(call('$notify', node.arguments.map(rewrite)), true);
    if (operation === 'pause' || operation === 'notify') return { type: 'Literal', value: 0 };
    if (operation === 'wait') return yields(call('$wait', node.arguments.map(rewrite)), true);
    const names = node.arguments.map(temporary);
    const values = node.arguments.map((argument: Tree, n: number) => assign(names[n], rewrite(argument)));
    const mode = operation === 'load' ? 'r' : operation === 'store' ? 'w' : 'u';
    return sequence([...values, step(names[0], names[1], mode), { ...node, arguments: names }]);
  }
}
