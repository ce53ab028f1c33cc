# needs: openssl
# seconds: 120
# Digests, ciphers, keys, certificates; a TLS session on loopback; its speed test for a second.
seq 1000 >n; for d in md5 sha1 sha224 sha256 sha384 sha512 sha3-256 blake2b512 sm3 ripemd160; do openssl dgst -$d n 2>/dev/null || echo "no $d"; done
for c in aes-128-cbc aes-256-ctr aes-192-ecb aria-128-cbc camellia-256-cbc chacha20 des3 sm4-cbc; do openssl enc -$c -K $(printf '%064d' 7 | head -c $(case $c in *128*|sm4*) echo 32 ;; *192*|des3) echo 48 ;; *) echo 64 ;; esac)) -iv $(printf '%032d' 9 | head -c $(case $c in des3) echo 16 ;; *) echo 32 ;; esac)) -in n 2>/dev/null | md5sum; done
openssl dgst -sha256 -hmac key n; openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt pass:x -kdfopt salt:salty -kdfopt iter:1000 PBKDF2; openssl prime 1000003; openssl rand -hex 8 | wc -c
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 9 -subj /CN=localhost 2>/dev/null; openssl x509 -in c.pem -noout -subject; openssl dgst -sha256 -sign k.pem -out sig n; openssl x509 -in c.pem -pubkey -noout >p.pem; openssl dgst -sha256 -verify p.pem -signature sig n
for curve in prime256v1 secp384r1; do openssl ecparam -genkey -name $curve -noout -out e.pem; openssl pkeyutl -sign -inkey e.pem -in <(head -c 32 n) -out s; openssl pkeyutl -verify -inkey e.pem -in <(head -c 32 n) -sigfile s; done; openssl genpkey -algorithm ed25519 -out d.pem; openssl pkeyutl -sign -rawin -inkey d.pem -in n -out s && openssl pkeyutl -verify -rawin -inkey d.pem -in n -sigfile s; openssl genpkey -algorithm x25519 -out x1; openssl genpkey -algorithm x25519 -out x2; openssl pkey -in x2 -pubout -out x2p; openssl pkeyutl -derive -inkey x1 -peerkey x2p | wc -c
openssl s_server -accept 127.0.0.1:4433 -cert c.pem -key k.pem -www -quiet >/dev/null 2>&1 & server=$!
for try in $(seq 100); do printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:4433 -CAfile c.pem -quiet 2>err >page && [ -s page ] && break; sleep 0.1; done
grep -c '<HTML>' page; grep -o 'verify return:1' err | sort -u; for v in -tls1_2 -tls1_3; do echo Q | openssl s_client -connect 127.0.0.1:4433 $v -CAfile c.pem 2>/dev/null | grep -E 'Verification|^New' | sort -u; done; kill $server; wait $server; echo "server $?"
openssl speed -seconds 1 -evp aes-128-gcm -bytes 1024 2>/dev/null | grep -ci aes
