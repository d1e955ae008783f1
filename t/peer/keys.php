<?php
// SPDX-License-Identifier: Apache-2.0
//
// Keys and certificates as the products make them (protocol 4.1): self-signed, serial 0, the wwwroot
// in the CN (64 bytes of it) and, with Moodle, in an attribute of the subject called subjectAltName.

namespace MnetPeer;

class Keys
{
    // ['private' => PEM, 'certificate' => PEM]
    public static function make(string $style, string $wwwroot, array $options = []): array
    {
        $config = ['config' => __DIR__ . '/openssl-legacy.cnf'];
        $cn = substr($wwwroot . ($style === 'mahara' ? '/' : ''), 0, 64);
        $cn = preg_replace('#/$#', '', $cn);
        $dn = ['countryName' => 'NZ', 'stateOrProvinceName' => 'Wellington',
            'localityName' => $style === 'mahara' ? 'Te Aro' : 'Wellington',
            'organizationName' => $options['name'] ?? 'A peer in PHP',
            'organizationalUnitName' => $style === 'mahara' ? 'Mahara' : 'Moodle',
            'commonName' => $options['cn'] ?? $cn];
        if ($style !== 'mahara') {
            $dn['subjectAltName'] = $options['alt'] ?? $wwwroot;
        }
        $dn['emailAddress'] = 'noreply@example.org';
        $key = openssl_pkey_new($config + ['private_key_type' => OPENSSL_KEYTYPE_RSA,
            'private_key_bits' => (int) ($options['bits'] ?? 2048)]);
        $request = $key ? openssl_csr_new($dn, $key, $config) : false;
        $days = (int) ($options['days'] ?? ($style === 'mahara' ? 365 : 28));
        $certificate = $request ? openssl_csr_sign($request, null, $key, $days, $config, 0) : false;
        if (!$certificate || !openssl_x509_export($certificate, $pem)
            || !openssl_pkey_export($key, $private, null, $config)) {
            throw new Trouble('openssl', 'no key was made: ' . openssl_error_string());
        }
        return ['private' => $private, 'certificate' => $pem];
    }

    // Moodle's check of a certificate against a wwwroot (4.2); Mahara's with $style "mahara".
    public static function names(string $style, string $pem, string $wwwroot): bool
    {
        $parsed = openssl_x509_parse($pem);
        if (!$parsed) {
            return false;
        }
        $subject = $parsed['subject'];
        if ($style !== 'mahara' && isset($subject['subjectAltName'])
            && $subject['subjectAltName'] !== $wwwroot) {
            return false;
        }
        return ($subject['CN'] ?? '') === substr($wwwroot, 0, 64);
    }

    // Exactly the form in which Moodle stores a certificate, one newline at the end.
    public static function isClean(string $pem): bool
    {
        return preg_match('/\A-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+\/]{64}\n)+'
            . '(?:[A-Za-z0-9+\/=]{1,64}\n)?-----END CERTIFICATE-----\n\z/', $pem) === 1;
    }

    public static function rsa(string $certificate): array
    {
        $details = openssl_pkey_get_details(openssl_pkey_get_public($certificate));
        return ['bytes' => intdiv($details['bits'] + 7, 8), 'n' => $details['rsa']['n']];
    }
}
