<?php
// SPDX-License-Identifier: Apache-2.0
//
// XML-RPC as peers do it (protocol 2.2).  Style "moodle" is phpxmlrpc's; "moodle-old" and "mahara"
// are the xmlrpc extension's, which is used where it is loaded and imitated where it is not.

namespace MnetPeer;

class Xmlrpc
{
    // In parameters from JSON: {"base64!": TEXT}, {"datetime!": TEXT}, {"nil!": true} are typed.
    private static function typed($value): ?array
    {
        if (is_array($value) && count($value) === 1) {
            $name = (string) array_key_first($value);
            if ($name === 'base64!' || $name === 'datetime!' || $name === 'nil!') {
                return [substr($name, 0, -1), $value[$name]];
            }
        }
        return null;
    }

    public static function request(string $style, string $method, array $params): string
    {
        if ($style === 'moodle') {
            $xml = "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<methodCall>\n<methodName>"
                . self::named($method, 'utf8') . "</methodName>\n<params>\n";
            foreach ($params as $param) {
                $xml .= "<param>\n" . self::phpValue($param, 'utf8', true) . "</param>\n";
            }
            return $xml . "</params>\n</methodCall>";
        }
        $raw = $style === 'moodle-old';
        if (function_exists('xmlrpc_encode_request')) {
            $options = ['encoding' => 'utf-8'];
            if ($raw) {
                $options['escaping'] = 'markup';
            }
            return xmlrpc_encode_request($method, array_map([self::class, 'extTyped'], $params),
                $options);
        }
        $xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodCall>\n<methodName>"
            . self::numeric($method, $raw) . "</methodName>\n";
        if (!$params) {
            return $xml . "<params/>\n</methodCall>\n";
        }
        $xml .= "<params>\n";
        foreach ($params as $param) {
            $xml .= " <param>\n" . self::extValue($param, 2, $raw) . " </param>\n";
        }
        return $xml . "</params>\n</methodCall>\n";
    }

    // $utf8: the caller sent an Accept-Charset that lists UTF-8.
    public static function response(string $style, $value, bool $utf8): string
    {
        if ($style === 'moodle') {
            return '<?xml version="1.0"' . ($utf8 ? ' encoding="UTF-8"' : '')
                . "?>\n<methodResponse>\n<params>\n<param>\n"
                . self::phpValue($value, $utf8 ? 'utf8' : 'points', false)
                . "</param>\n</params>\n</methodResponse>";
        }
        if (function_exists('xmlrpc_encode_request')) {
            return xmlrpc_encode_request(null, self::extTyped($value), ['encoding' => 'utf-8']);
        }
        return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodResponse>\n<params>\n <param>\n"
            . self::extValue($value, 2, false) . " </param>\n</params>\n</methodResponse>\n";
    }

    // Both products lay a fault out alike; Mahara does not escape its text.
    public static function fault(string $style, int $code, string $text): string
    {
        $text = $style === 'mahara' ? $text : self::named($text, 'utf8');
        $in = fn (int $n) => "\n" . str_repeat('   ', $n);
        return '<?xml version="1.0"?>' . "\n<methodResponse>" . $in(1) . '<fault>' . $in(2) . '<value>'
            . $in(3) . '<struct>' . $in(4) . '<member>' . $in(5) . '<name>faultCode</name>' . $in(5)
            . "<value><int>$code</int></value>" . $in(4) . '</member>' . $in(4) . '<member>' . $in(5)
            . '<name>faultString</name>' . $in(5) . "<value><string>$text</string></value>" . $in(4)
            . '</member>' . $in(3) . '</struct>' . $in(2) . '</value>' . $in(1) . "</fault>\n"
            . '</methodResponse>';
    }

    // --- reading ---------------------------------------------------------------------------------

    // ['method' => ..., 'params' => [...]], or null if it is no methodCall.
    public static function readCall(string $style, string $xml): ?array
    {
        if ($style !== 'moodle' && function_exists('xmlrpc_decode_request')) {
            $method = null;
            ob_start();
            $params = @xmlrpc_decode_request($xml, $method, 'utf-8');
            ob_end_clean();
            return is_string($method) ? ['method' => $method, 'params' => (array) $params] : null;
        }
        $root = self::parse($xml);
        if (!$root || $root->getName() !== 'methodCall') {
            return null;
        }
        $params = [];
        foreach ($root->params->param ?? [] as $param) {
            $params[] = self::readValue($param->value, $style);
        }
        return ['method' => (string) $root->methodName, 'params' => $params];
    }

    // ['value' => ...] or ['fault' => [code, text]], or null if it is no methodResponse.
    // $utf8: a Mahara of late 2023, which says that it is.
    public static function readResponse(string $style, string $xml, bool $utf8 = false): ?array
    {
        $root = self::parse($xml);
        if (!$root || $root->getName() !== 'methodResponse') {
            return null;
        }
        if ($style === 'moodle') {
            $value = $root->fault->value ?? $root->params->param->value ?? null;
            $value = self::readValue($value, $style);
        } else { // its default charset: the trap of 2.2.3
            $value = match (true) {
                !function_exists('xmlrpc_decode') => self::imitated($xml, $utf8),
                $utf8 => xmlrpc_decode($xml, 'utf-8'),
                default => xmlrpc_decode($xml),
            };
        }
        if (isset($root->fault)) {
            return ['fault' => [(int) ($value['faultCode'] ?? 0), (string) ($value['faultString'] ?? '')]];
        }
        return isset($root->params->param->value) ? ['value' => $value] : null;
    }

    /*
     * What the extension's client makes of a document: each piece of text that the parser hands over
     * becomes Latin-1 if it can be, else stays UTF-8.  A reference is a piece of its own.
     */
    public static function imitated(string $xml, bool $utf8 = false)
    {
        $hex = '';
        $parser = xml_parser_create('UTF-8');
        xml_parser_set_option($parser, XML_OPTION_CASE_FOLDING, 0);
        xml_set_element_handler($parser, function ($p, $name) use (&$hex) {
            $hex .= "<$name>";
        }, function ($p, $name) use (&$hex) {
            $hex .= "</$name>";
        });
        xml_set_character_data_handler($parser, function ($p, $text) use (&$hex, $utf8) {
            $latin = $utf8 ? $text : @iconv('UTF-8', 'ISO-8859-1', $text);
            $hex .= bin2hex($latin === false ? $text : $latin);
        });
        if (!xml_parse($parser, $xml, true)) {
            return null;
        }
        $root = self::parse($hex);
        return self::readValue($root->fault->value ?? $root->params->param->value ?? null, 'ext', true);
    }

    private static function parse(string $xml): ?\SimpleXMLElement
    {
        $before = libxml_use_internal_errors(true);
        $root = simplexml_load_string($xml, null, LIBXML_NONET | LIBXML_PARSEHUGE);
        libxml_clear_errors();
        libxml_use_internal_errors($before);
        return $root === false ? null : $root;
    }

    // $hex: all text is in hexadecimal digits.
    private static function readValue(?\SimpleXMLElement $value, string $style, bool $hex = false)
    {
        $textOf = fn ($element) => $hex ? hex2bin((string) $element) : (string) $element;
        if ($value === null || count($value->children()) === 0) {
            return $textOf($value);
        }
        $typed = $value->children()[0];
        $text = $textOf($typed);
        switch ($typed->getName()) {
            case 'int': case 'i4':
                return (int) trim($text);
            case 'i8':
                return $style === 'moodle' ? (int) trim($text) : null;
            case 'boolean':
                return trim($text) === '1' || ($style === 'moodle' && trim($text) === 'true');
            case 'double':
                return (float) trim($text);
            case 'string':
                return $text;
            case 'base64':
                return $style === 'moodle' ? base64_decode($text) : ['scalar' => base64_decode($text),
                    'xmlrpc_type' => 'base64'];
            case 'dateTime.iso8601':
                return $style === 'moodle' ? $text : ['scalar' => $text, 'xmlrpc_type' => 'datetime'];
            case 'nil':
                if ($style === 'moodle') {
                    throw new Trouble('xmlrpc', 'nil is not understood');
                }
                return null;
            case 'array':
                $list = [];
                foreach ($typed->data->value ?? [] as $item) {
                    $list[] = self::readValue($item, $style, $hex);
                }
                return $list;
            case 'struct':
                $map = [];
                foreach ($typed->member as $member) {
                    $map[$textOf($member->name)] = self::readValue($member->value, $style, $hex);
                }
                return $map;
        }
        throw new Trouble('xmlrpc', 'unknown type ' . $typed->getName());
    }

    // --- phpxmlrpc's writing ---------------------------------------------------------------------

    private static function named(string $text, string $charset): string
    {
        $text = str_replace(['&', '"', "'", '<', '>'], ['&amp;', '&quot;', '&apos;', '&lt;', '&gt;'],
            $text);
        if ($charset === 'utf8') {
            return $text;
        }
        return preg_replace_callback('/[\x00-\x1f\x7f]|[^\x00-\x7f]/u',
            fn ($m) => '&#' . self::point($m[0]) . ';', $text);
    }

    private static function point(string $char): int
    {
        return unpack('N', iconv('UTF-8', 'UCS-4BE', $char))[1];
    }

    private static function phpValue($value, string $charset, bool $request): string
    {
        if ($typed = self::typed($value)) {
            [$type, $text] = $typed;
            return match ($type) {
                'base64' => '<value><base64>' . base64_encode($text) . "</base64></value>\n",
                'datetime' => "<value><dateTime.iso8601>$text</dateTime.iso8601></value>\n",
                'nil' => $request ? "<value></value>\n" : "<value><string></string></value>\n",
            };
        }
        if (is_array($value)) {
            if (array_is_list($value)) {
                $xml = "<value><array>\n<data>\n";
                foreach ($value as $item) {
                    $xml .= self::phpValue($item, $charset, $request);
                }
                return $xml . "</data>\n</array></value>\n";
            }
            $xml = "<value><struct>\n";
            foreach ($value as $name => $item) {
                $xml .= '<member><name>' . self::named((string) $name, $charset) . "</name>\n"
                    . self::phpValue($item, $charset, $request) . "</member>\n";
            }
            return $xml . "</struct></value>\n";
        }
        return match (true) {
            $value === null => $request ? "<value></value>\n" : "<value><string></string></value>\n",
            is_bool($value) => '<value><boolean>' . (int) $value . "</boolean></value>\n",
            is_int($value) => "<value><int>$value</int></value>\n",
            is_float($value) => '<value><double>'
                . rtrim(rtrim(sprintf('%.12F', $value), '0'), '.') . "</double></value>\n",
            default => '<value><string>' . self::named((string) $value, $charset)
                . "</string></value>\n",
        };
    }

    // --- the extension's writing -----------------------------------------------------------------

    private static function extTyped($value)
    {
        if ($typed = self::typed($value)) {
            [$type, $text] = $typed;
            if ($type === 'nil') {
                return null;
            }
            xmlrpc_set_type($text, $type);
            return $text;
        }
        return is_array($value) ? array_map([self::class, 'extTyped'], $value) : $value;
    }

    // Markup by number; beyond ASCII every byte on its own, unless raw.  Bytes from 200 to 209 lose their
    // middle digit, as in the extension (1.0.0RC3): Greek and Cyrillic are no XML then.
    private static function numeric(string $text, bool $raw): string
    {
        return preg_replace_callback($raw ? '/[<>&"]/' : '/[<>&"]|[\x00-\x1f\x7f-\xff]/',
            fn ($m) => '&#' . preg_replace('/^20(?=.)/', '2', (string) ord($m[0])) . ';', $text);
    }

    private static function extValue($value, int $depth, bool $raw): string
    {
        $in = str_repeat(' ', $depth);
        if ($typed = self::typed($value)) {
            [$type, $text] = $typed;
            $inner = match ($type) {
                'base64' => "$in <base64>" . base64_encode($text) . "&#10;</base64>\n",
                'datetime' => "$in <dateTime.iso8601>$text</dateTime.iso8601>\n",
                'nil' => "$in <string/>\n",
            };
        } elseif (is_array($value) && array_is_list($value)) {
            $inner = "$in <array>\n$in  <data";
            if ($value) {
                $inner .= ">\n";
                foreach ($value as $item) {
                    $inner .= self::extValue($item, $depth + 3, $raw);
                }
                $inner .= "$in  </data>\n$in </array>\n";
            } else {
                $inner .= "/>\n$in </array>\n";
            }
        } elseif (is_array($value)) {
            $inner = "$in <struct>\n";
            foreach ($value as $name => $item) {
                $inner .= "$in  <member>\n$in   <name>" . self::numeric((string) $name, $raw) . "</name>\n"
                    . self::extValue($item, $depth + 3, $raw) . "$in  </member>\n";
            }
            $inner .= "$in </struct>\n";
        } else {
            $inner = "$in " . match (true) {
                is_bool($value) => '<boolean>' . (int) $value . '</boolean>',
                is_int($value) => '<int>' . unpack('l', pack('l', $value))[1] . '</int>',
                is_float($value) => sprintf('<double>%F</double>', $value),
                (string) $value === '' => '<string/>',
                default => '<string>' . self::numeric((string) $value, $raw) . '</string>',
            } . "\n";
        }
        return "$in<value>\n$inner$in</value>\n";
    }
}
