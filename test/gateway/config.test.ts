// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${} in plain strings is the syntax under test
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../src/gateway/config.ts';
import { expandVariables } from '../../src/gateway/config-expand.ts';
import { GatewayError } from '../../src/gateway/errors.ts';
import { limits } from '../../src/gateway/limits.ts';
import { exposedName, serverSlug } from '../../src/gateway/naming.ts';

const test = suite('config');
const env = { HOME: '/home/ada', TOKEN: 'geheim', EMPTY: '', NESTED: '$' + '{HOME}' };

test('a stdio and a URL server, with variables, come out checked and expanded', () => {
  const specs = read({
    mcpServers: {
      files: { command: 'npx', args: ['-y', 'server', '${HOME}/notes'], env: { KEY: '${TOKEN}' }, cwd: 'data' },
      remote: { type: 'http', url: 'https://${HOST:-example.com}/mcp', headers: { authorization: 'Bearer ${TOKEN}' } },
    },
  });
  assert.equal(specs, [
    {
      name: 'files',
      slug: 'files',
      callTimeoutMs: limits.callTimeoutMs,
      transport: {
        type: 'stdio',
        command: 'npx',
        args: ['-y', 'server', '/home/ada/notes'],
        env: { KEY: 'geheim' },
        cwd: '/etc/rollcall/data',
      },
    },
    {
      name: 'remote',
      slug: 'remote',
      callTimeoutMs: limits.callTimeoutMs,
      transport: { type: 'http', url: 'https://example.com/mcp', headers: { authorization: 'Bearer geheim' } },
    },
  ]);
});

test("the README's file, and its example of a name, are right", () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, text = ''] = /```json\n([\s\S]*?)```/.exec(readme) ?? [];
  const specs = parseConfig(text, { file: 'mcp.json', env: { HOME: '/home/ada', API_KEY: 'k' } });
  assert.equal(
    specs.map(({ name, transport }) => [name, transport.type]),
    [
      ['files', 'stdio'],
      ['remote', 'http'],
    ],
  );
  assert.ok(readme.includes(`\`${exposedName(serverSlug('My server'), 'echo')}\``));
});

test('keys of other programs are left alone, and a disabled server is left out', () => {
  const specs = read({
    $schema: 'x',
    inputs: [],
    mcpServers: { off: { command: 7, disabled: true }, on: { command: 'a', alwaysAllow: ['b'], timeout: 'soon' } },
  });
  assert.equal(
    specs.map(({ name }) => name),
    ['on'],
  );
});

test('callTimeoutMs is taken within its bounds', () => {
  assert.is(read({ mcpServers: { a: { command: 'x', callTimeoutMs: 5 } } })[0].callTimeoutMs, 5);
  for (const callTimeoutMs of [0, -1, 1.5, '5', limits.callTimeoutMsMax + 1]) {
    refused(
      { mcpServers: { a: { command: 'x', callTimeoutMs } } },
      /mcpServers\.a\.callTimeoutMs: expected whole milliseconds/,
    );
  }
});

test('every wrong shape is refused with its path and what was expected there', () => {
  refused([], 'the document: expected an object, got an array');
  refused({}, 'mcpServers: expected an object, got nothing');
  refused({ mcpServers: {} }, 'mcpServers: expected at least one enabled server, got none');
  refused({ mcpServers: { a: null } }, 'mcpServers.a: expected an object, got null');
  refused(
    { mcpServers: { a: {} } },
    'mcpServers.a: expected "command" (a program to start) or "url" (a server to reach), got neither',
  );
  refused(
    { mcpServers: { a: { command: 'x', url: 'http://y' } } },
    'mcpServers.a: expected either "command" or "url", got both',
  );
  refused({ mcpServers: { a: { command: 5 } } }, 'mcpServers.a.command: expected a string, got the number 5');
  refused({ mcpServers: { a: { command: '' } } }, 'mcpServers.a.command: expected a program, got an empty string');
  refused(
    { mcpServers: { a: { command: 'x', args: 'y' } } },
    'mcpServers.a.args: expected an array of strings, got a string',
  );
  refused(
    { mcpServers: { a: { command: 'x', args: ['y', true] } } },
    'mcpServers.a.args[1]: expected a string, got the boolean true',
  );
  refused(
    { mcpServers: { a: { command: 'x', env: { B: 1 } } } },
    'mcpServers.a.env.B: expected a string, got the number 1',
  );
  refused({ mcpServers: { a: { command: 'x', cwd: {} } } }, 'mcpServers.a.cwd: expected a string, got an object');
  refused({ mcpServers: { a: { url: 'ftp://x' } } }, 'mcpServers.a.url: expected an http or https URL, got a string');
  refused(
    { mcpServers: { a: { url: 'http://x', headers: { 'b c': 'd' } } } },
    /mcpServers\.a\.headers\.b c: expected a legal HTTP header/,
  );
  refused({ mcpServers: { a: { type: 'sse', url: 'http://x' } } }, /mcpServers\.a\.type: expected "stdio" or "http"/);
  refused({ mcpServers: { '': { command: 'x' } } }, /expected a name of 1 to/);
  refused({ mcpServers: { ['ä'.repeat(101)]: { command: 'x' } } }, /got 202 bytes/);
});

test('all mistakes are told at once, and secrets are not', () => {
  try {
    read({ mcpServers: { a: { command: 1 }, b: { url: 'geheim' } } });
    assert.unreachable();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    assert.is(error.code, 'BAD_CONFIG');
    assert.is(error.message.split('\n').length, 2);
    assert.not.match(error.message, /geheim/);
  }
});

test('a variable that is not set is refused with its name and the way out', () => {
  refused(
    { mcpServers: { a: { command: 'x', args: ['${NOPE}'] } } },
    /mcpServers\.a\.args\[0\]: .*NOPE, or a default: \$\{NOPE:-default\}/,
  );
});

test('what is not JSON is refused with the file', () => {
  assert.throws(() => parseConfig('{ "mcpServers": ', source), /\/etc\/rollcall\/mcp\.json: not valid JSON/);
});

test('expansion is one pass, defaults stand in for empty variables, other dollars stay', () => {
  assert.is(
    expandVariables('$HOME ${HOME} ${EMPTY:-x}${EMPTY} $ ${ ${1} ${A:-} ${B:-a:-b}', env).text,
    '$HOME /home/ada x $ ${ ${1}  a:-b',
  );
  assert.equal(expandVariables('${NESTED}', env), { text: '${HOME}', missing: [] });
  assert.equal(expandVariables('${A}${B}', env).missing, ['A', 'B']);
});

const source = { file: '/etc/rollcall/mcp.json', env };

function read(document: unknown) {
  return parseConfig(JSON.stringify(document), source);
}

function refused(document: unknown, expected: string | RegExp): void {
  assert.throws(
    () => read(document),
    (error: unknown) => {
      if (!(error instanceof GatewayError)) return false;
      if (typeof expected === 'string') assert.is(error.message, `/etc/rollcall/mcp.json: ${expected}`);
      else assert.match(error.message, expected);
      return true;
    },
  );
}

test.run();
