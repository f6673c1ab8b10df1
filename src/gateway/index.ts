// Everything exported here is a promise to users.
export { type ConfigSource, type HttpSpec, parseConfig, type StdioSpec, type UpstreamSpec } from './config.ts';
export { type DefaultConfig, defaultConfig } from './default-config.ts';
export { GatewayError, type GatewayErrorCode } from './errors.ts';
export { Gateway, type GatewayEvent, type GatewayOptions } from './gateway.ts';
export type { HealthReport, ThreadHealth } from './health.ts';
export { limits } from './limits.ts';
export type { LogLevel, UpstreamState, UpstreamStatus } from './messages.ts';
export { version } from './version.ts';
