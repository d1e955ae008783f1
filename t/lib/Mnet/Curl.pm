# SPDX-License-Identifier: Apache-2.0
package Mnet::Curl;

# A Mnet::Browser that speaks by curl: HTTP/2, TLS, host names that no resolver knows.
#
#   my $b = Mnet::Curl->new(match => qr{^https://}, http2 => 1, ca => $file, resolve => ['name:443:127.0.0.1']);
#   URLs that match go by curl, others as Mnet::Browser's.  Answers have "version" besides: 1.1, 2.
#   $b->unknown(...)                   request without a Content-Length (see request)
#   Mnet::Curl::missing                why it cannot be used here, or undef

use strict;
use warnings;
use parent 'Mnet::Browser';
use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64);

sub missing {
    my $said = qx(curl --version 2>/dev/null) // '';
    return 'there is no curl' if $said !~ /^curl /;
    return 'this curl knows no HTTP/2' if $said !~ /\bHTTP2\b/;
    return undef;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/;
    return <$in> // '';
}

# What every curl of this browser's is told.
sub options {
    my ($self, $url) = @_;
    my @options = qw(-q -s --max-time 30 --noproxy * --path-as-is);
    push @options, $url =~ /^https/ ? '--http2' : '--http2-prior-knowledge' if $self->{http2};
    push @options, '--http1.1' if !$self->{http2};
    push @options, '--cacert', $self->{ca} if $self->{ca};
    push @options, map { ('--resolve', $_) } @{ $self->{resolve} || [] };
    return @options;
}

# curl's standard output.
sub curl {
    my ($self, @arguments) = @_;
    open my $from, '-|', 'curl', @arguments or die "curl: $!";
    local $/;
    my $said = <$from> // '';
    close $from;
    $self->{exit} = $? >> 8;
    return $said;
}

sub header_options {
    my ($self, $url, %headers) = @_;
    my $all = $self->headers_for($url, %headers);
    return map { ('-H', length $all->{$_} ? "$_: $all->{$_}" : "$_;") } sort keys %$all;
}

sub request {
    my ($self, $method, $url, $content, %headers) = @_;
    return $self->SUPER::request($method, $url, $content, %headers) if $self->{match} && $url !~ $self->{match};
    my $dir = $self->{dir} //= tempdir('mnet-curl-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my @body;
    if (defined $content) {
        open my $out, '>:raw', "$dir/content" or die $!;
        print {$out} $content;
        close $out or die $!;
        # Read from a pipe, curl does not know how long it is.
        @body = $self->{unknown} ? ('-T', '-') : ('--data-binary', "\@$dir/content");
    }
    my @command = ($self->options($url), '-D', "$dir/head", '-o', "$dir/body", '-w', '%{http_version} %{response_code}',
        $method eq 'HEAD' ? '-I' : ('-X', $method), $self->header_options($url, %headers), @body, $url);
    unlink "$dir/head", "$dir/body";
    my $said;
    if ($self->{unknown} && defined $content) {
        my $quoted = join ' ', map { my $w = $_; $w =~ s/'/'\\''/g; "'$w'" } @command;
        $said = qx(cat '$dir/content' | curl $quoted);
        $self->{exit} = $? >> 8;
    } else {
        $said = $self->curl(@command);
    }
    my ($version, $status) = split ' ', $said;
    my (%got, @set);
    for my $line (split /\r?\n/, (split /\r?\n\r?\n(?!\z)/, slurp("$dir/head"))[-1] // '') {
        my ($name, $value) = $line =~ /^([^:\s]+):\s*(.*?)\s*$/ or next;
        push @set, $value if lc $name eq 'set-cookie';
        $got{ lc $name } = exists $got{ lc $name } ? "$got{lc $name}, $value" : $value;
    }
    return { status => $status // 0, version => $version // '', headers => \%got, content => slurp("$dir/body"), url => $url,
        cookies => [map { $self->take_cookie($_) } @set], location => $got{location}, exit => $self->{exit} };
}

# As request, of a length that is not told.
sub unknown {
    my ($self, @request) = @_;
    local $self->{unknown} = 1;
    return $self->request(@request);
}

1;
