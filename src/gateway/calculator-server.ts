import { fromJsonSchema, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { ArithmeticError, evaluate, type Operation, operations } from './arithmetic.ts';
import { version } from './version.ts';

// A small MCP server over stdio, part of the default configuration: it speaks both protocol eras, and its results are
// easy to check by hand.

interface Operands {
  a: number;
  b: number;
}

const number = { type: 'number' } as const;
const operands = fromJsonSchema<Operands>({
  type: 'object',
  properties: { a: { ...number, description: 'First number' }, b: { ...number, description: 'Second number' } },
  required: ['a', 'b'],
  additionalProperties: false,
});
const expression = fromJsonSchema<{ expression: string }>({
  type: 'object',
  properties: { expression: { type: 'string', description: 'For example: (1 + 2) * 3 / -4', maxLength: 1000 } },
  required: ['expression'],
  additionalProperties: false,
});
const outputSchema = fromJsonSchema<{ result: number }>({
  type: 'object',
  properties: { result: number },
  required: ['result'],
});
const annotations = { readOnlyHint: true, idempotentHint: true, openWorldHint: false };

const descriptions: Record<Operation, string> = {
  add: 'Adds two numbers: a + b.',
  subtract: 'Subtracts two numbers: a - b.',
  multiply: 'Multiplies two numbers: a × b.',
  divide: 'Divides two numbers: a ÷ b. b must not be zero.',
};

function calculator(): McpServer {
  const server = new McpServer({ name: 'rollcall-calculator', version }, { capabilities: { tools: {} } });
  for (const name of Object.keys(descriptions) as Operation[]) {
    const tool = { description: descriptions[name], inputSchema: operands, outputSchema, annotations };
    server.registerTool(name, tool, ({ a, b }) => answer(() => operations[name](a, b)));
  }
  const description = 'Evaluates an arithmetic expression with + - * / ( ) and decimal numbers.';
  const tool = { description, inputSchema: expression, outputSchema, annotations };
  server.registerTool('evaluate', tool, (input) => answer(() => evaluate(input.expression)));
  return server;
}

/** What a model can mend itself is a tool error with advice, not a protocol error. */
function answer(compute: () => number) {
  try {
    const result = compute();
    return { content: [{ type: 'text' as const, text: String(result) }], structuredContent: { result } };
  } catch (error) {
    if (!(error instanceof ArithmeticError)) throw error;
    return { content: [{ type: 'text' as const, text: error.message }], isError: true };
  }
}

serveStdio(calculator);
