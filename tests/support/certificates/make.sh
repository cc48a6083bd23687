#!/bin/sh
# Made the files beside it, for tests on loopback only; they are valid for 100 years.
set -eu
cd "$(dirname "$0")"
days=36500
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -days $days -subj "/O=headrace tests" -out ca.pem
for who in server client; do
    openssl ecparam -name prime256v1 -genkey -noout |
        openssl pkcs8 -topk8 -nocrypt -out "$who.key"
    openssl req -new -key "$who.key" -subj "/O=headrace tests/CN=$who" -out "$who.csr"
    printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=%sAuth\n' "$who" > ext
    openssl x509 -req -in "$who.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
        -days $days -extfile ext -out "$who.pem"
    rm "$who.csr" ext
done
rm ca.key ca.srl
