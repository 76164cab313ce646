"""Answers that are not the service's own: for any call, and for single ones. Each is named by what is wrong with it."""

from __future__ import annotations

import gzip

from tests.unit.adapters.aws.hostile import ROW, error, http

# What any call may meet: none of the six may read it as a success.
FOR_ALL = {
    "a page of HTML": http(b"<html><body>Sign in to the guest network</body></html>"),
    "plain text": http(b"OK"),
    "a JSON list": http(b"[]"),
    "a JSON null": http(b"null"),
    "a JSON number": http(b"1"),
    "a JSON text": http(b'"Apps"'),
    "truncated JSON": http(b'{"Apps":[{"DomainId":'),
    "bad UTF-8": http(b'{"Apps":["\xff\xfe"]}'),
    "a bad surrogate": http(b'{"AppArn":"\\ud800"}'),
    "200,000 nested lists": http(b'{"Apps":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "200,000 nested objects": http(b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "not a number": http(b'{"Apps":[],"AppArn":NaN}'),
    "an error with status 200": error("ThrottlingException", "Rate exceeded", 200),
    "a message alone": http(b'{"message":"hello"}'),
    "compressed": http(gzip.compress(b'{"Apps":[]}'), 200, "Content-Encoding: gzip"),
    "status 201": http(b'{"AppArn":"arn:x","Apps":[],"Tags":[]}', 201),
    "status 202, no body": http(b"", 202),
    "status 204": http(b"", 204),
    "status 206": http(b'{"AppArn":"arn:x","Apps":[],"Tags":[]}', 206),
    "status 300": http(b'{"AppArn":"arn:x","Apps":[],"Tags":[]}', 300),
    "status 301": http(b"", 301),
    "status 304": http(b"", 304),
    "an error that is a list": http(b"[1]", 400),
    "an error whose code is a number": http(b'{"__type":5,"message":7}', 400),
    "an error without a body": http(b"", 400),
    "an error of the proxy": http(b"<html>Forbidden</html>", 403),
    "an error nested 200,000 deep": http(b"[" * 200_000, 500),
    "status 500 in HTML": http(b"<html>oops</html>", 500),
    "status 502": http(b"", 502),
    "status 503 in JSON": http(b'{"message":null}', 503),
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a bad status line": b"HTTP/1.1 abc OK\r\n\r\n",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a length and chunks": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
    ),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}",
    "a header of 70 kB": http(b'{"message":"x"}', 200, "X-Long: " + "x" * 70_000),
    "a header in bad UTF-8": b"HTTP/1.1 200 OK\r\nX-Bad: \xff\xfe\r\nContent-Length: 2\r\n\r\n[]",
}

FOR_LISTS = {
    "an empty object": b"{}",
    "Apps null": b'{"Apps":null}',
    "Apps an empty text": b'{"Apps":""}',
    "Apps an empty object": b'{"Apps":{}}',
    "Apps false": b'{"Apps":false}',
    "Apps zero": b'{"Apps":0}',
    "a row that is null": b'{"Apps":[null]}',
    "a row that is a text": b'{"Apps":["a"]}',
    "an empty row": b'{"Apps":[{}]}',
    "no status": b'{"Apps":[%s]}' % ROW.replace(b'"InService"', b"null"),
    "a status that is a number": b'{"Apps":[%s]}' % ROW.replace(b'"InService"', b"5"),
    "no owner": b'{"Apps":[%s]}' % ROW.replace(b'"SpaceName"', b'"Other"'),
    "an owner that is a list": b'{"Apps":[%s]}' % ROW.replace(b'"alice-lab"', b"[]"),
    "another domain": b'{"Apps":[%s]}' % ROW.replace(b"d-abcd1234efgh", b"d-other"),
    "a time in words": b'{"Apps":[%s]}' % ROW.replace(b"1700000000.5", b'"yesterday"'),
    "a time that is true": b'{"Apps":[%s]}' % ROW.replace(b"1700000000.5", b"true"),
    "a time before 1970": b'{"Apps":[%s]}' % ROW.replace(b"1700000000.5", b"-1"),
    "a time past all years": b'{"Apps":[%s]}' % ROW.replace(b"1700000000.5", b"1e300"),
    "no time": b'{"Apps":[%s]}' % ROW.replace(b"CreationTime", b"Other"),
    "a spec that is a list": b'{"Apps":[%s]}' % ROW.replace(b'{"InstanceType":"ml.t3.medium"}', b"[]"),
    "a type that is a number": b'{"Apps":[%s]}' % ROW.replace(b'"ml.t3.medium"', b"3"),
    "a token that is a number": b'{"Apps":[],"NextToken":5}',
}

FOR_CREATES = {
    "an empty object": b"{}",
    "no body": b"",
    "an ARN that is null": b'{"AppArn":null}',
    "an empty ARN": b'{"AppArn":""}',
    "an ARN that is an object": b'{"AppArn":{}}',
}

FOR_TAGS = {
    "an empty object": b"{}",
    "Tags null": b'{"Tags":null}',
    "Tags a text": b'{"Tags":""}',
    "a tag that is a text": b'{"Tags":["a"]}',
    "a tag without value": b'{"Tags":[{"Key":"a"}]}',
    "a tag without key": b'{"Tags":[{"Value":"a"}]}',
    "a token that is a list": b'{"Tags":[],"NextToken":[]}',
}
