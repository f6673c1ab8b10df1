import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createGuard } from '../../src/gateway/guards.ts';

const test = suite('guards');
const local = createGuard({ host: '127.0.0.1', address: '127.0.0.1', allowedHosts: [] });
const everywhere = createGuard({ host: '0.0.0.0', address: '0.0.0.0', allowedHosts: ['mcp.example.com'] });

test('on loopback only loopback names are served', () => {
  for (const host of ['localhost', 'localhost:8808', '127.0.0.1:1', '[::1]:8808', 'LOCALHOST'])
    assert.is(local({ host }), undefined, host);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '192.168.1.4',
    '',
    'a@localhost',
    'localhost/x',
    '127.0.0.1.nip.io',
    '[',
    'x y',
  ]) {
    assert.type(local({ host }), 'string', host);
  }
  assert.type(local({}), 'string');
});

test('beyond loopback addresses and allowed names are served, names that could be re-pointed are not', () => {
  for (const host of ['192.168.1.4:8808', '[2001:db8::1]', 'mcp.example.com', 'MCP.example.com:80', 'localhost']) {
    assert.is(everywhere({ host }), undefined, host);
  }
  for (const host of ['evil.example', 'a.mcp.example.com', '192.168.1.4.evil.example'])
    assert.type(everywhere({ host }), 'string', host);
});

test('programs send no Origin, pages of ours do, others are refused', () => {
  const host = 'localhost:8808';
  for (const origin of [undefined, 'http://localhost:3000', 'https://127.0.0.1'])
    assert.is(local({ host, origin }), undefined, origin);
  for (const origin of ['https://evil.example', 'null', '', 'http://localhost.evil.example', 'file://'])
    assert.type(local({ host, origin }), 'string', origin);
  assert.is(everywhere({ host: '10.0.0.1', origin: 'http://10.0.0.1:8808' }), undefined);
  assert.type(everywhere({ host: '10.0.0.1', origin: 'http://10.0.0.2' }), 'string');
});

test('the name we are told to listen on is served', () => {
  const named = createGuard({ host: 'gateway.lan', address: '10.0.0.1', allowedHosts: [] });
  assert.is(named({ host: 'gateway.lan:8808', origin: 'https://gateway.lan' }), undefined);
  assert.type(named({ host: 'other.lan' }), 'string');
});

test.run();
