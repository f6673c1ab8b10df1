import {
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  ProtocolErrorCode,
} from '@modelcontextprotocol/client';

/** The SDK drops an answer that is neither a result nor an error, and its caller would wait: make it an error. */
export function repairAnswer(message: JSONRPCMessage): JSONRPCMessage {
  if (!isAnswer(message) || isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) return message;
  const text = 'the server answered with neither a result nor an error as JSON-RPC has them';
  return { jsonrpc: '2.0', id: message.id, error: { code: ProtocolErrorCode.InternalError, message: text } };
}

function isAnswer(message: unknown): message is { id: string | number } {
  if (typeof message !== 'object' || message === null || 'method' in message || !('id' in message)) return false;
  return typeof message.id === 'string' || typeof message.id === 'number';
}
