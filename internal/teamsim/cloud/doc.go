// Package cloud speaks for Microsoft: the keys and tokens of the calling
// service, the Entra ID authority, the calling part of Microsoft Graph v1.0 and
// the notifications that Teams sends to a bot.
//
// LAW. It is strict in what it takes and generous in what it sends. A request
// is read exactly as documented: unknown or repeated members, a wrong path,
// method or content type, a callbackUri that is not https, a clientContext that
// is missing or longer than 256 characters, a status that is not one of three,
// and a token that does not fit are refused, and the refusal is a
// trace.Violation. What it sends takes every form that is documented or was
// observed, chosen by the seed and by nothing else.
//
// A call's life is Graph's: an invite that was not answered within five seconds
// is gone ("8522", call not found), so is a rejected, ended or left call, and
// one whose keepAlive window has run down.
//
// What is added to the trace before it is sent can't have been acted upon by
// the bot earlier: see package trace.
//
// Where Microsoft says nothing (the status before established, a second answer,
// retries of notifications) Options choose, and their comments say so.
//
// It imports nothing of the product, so that a mistake in the product can't
// hide in a shared line.
package cloud
