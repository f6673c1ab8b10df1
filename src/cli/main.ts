#!/usr/bin/env node
import { version } from '../gateway/version.ts';
import { mainHelp } from './help.ts';

// Exit codes: 0 done, 1 failed, 2 wrong usage (also a wrong configuration).
const [command, ...args] = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(`rollcall needs Node.js 24 or newer; this is ${process.versions.node}`);
  process.exit(1);
}

switch (command) {
  case 'gateway':
    process.exit(await gateway());
    break;
  case 'demo': {
    const { demoCommand } = await import('./demo-command.ts');
    process.exitCode = await demoCommand(args);
    break;
  }
  case 'inspect':
    process.exitCode = await (await import('./inspect-command.ts')).inspectCommand(args);
    break;
  case 'top':
    process.exitCode = await (await import('./top-command.ts')).topCommand(args);
    break;
  case '--version':
  case '-v':
    console.log(version);
    break;
  case '--help':
  case '-h':
  case 'help':
    console.log(mainHelp);
    break;
  default:
    console.error(command === undefined ? 'rollcall: which command?' : `rollcall: no such command: ${command}`);
    console.error(`\n${mainHelp}`);
    process.exitCode = 2;
}

/** Loaded only when asked for: who embeds the engine may have left out the packages the gateway needs. */
async function gateway(): Promise<number> {
  try {
    const { gatewayCommand } = await import('./gateway-command.ts');
    return await gatewayCommand(args);
  } catch (error) {
    if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error(`rollcall gateway: a package it needs is not installed: ${error.message}`);
    console.error('Install the MCP packages: npm install @modelcontextprotocol/{client,core,node,server}');
    return 1;
  }
}
