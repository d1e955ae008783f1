# SPDX-License-Identifier: Apache-2.0
package Mnet::Browser;

# As much of a browser as sign-on needs: cookies by name, path and host (of any port, as in browsers),
# redirects one at a time or to their end, the headers of a person who follows a link.
#
#   my $b = Mnet::Browser->new(agent => 'Test/1.0');
#   my $got = $b->get($url, %headers);          { status, headers, content, location, url, cookies }
#   my $got = $b->post($url, $content, %headers);
#   my $got = $b->follow($url, %headers);       to the end of redirects, $got->{trail}: every URL
#   $b->cookies                                 { name => value } of all there are
#   $b->set_cookie($name, $value, $path); $b->forget;
#   user => 'alice:secret'                      sent to hosts whose URL begins with `realm`

use strict;
use warnings;
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64);

sub new {
    my ($class, %o) = @_;
    return bless { agent => 'Mnet-Test/1.0', jar => [], %o }, $class;
}

sub set_cookie {
    my ($self, $name, $value, $path) = @_;
    $path ||= '/';
    @{ $self->{jar} } = grep { $_->{name} ne $name || $_->{path} ne $path } @{ $self->{jar} };
    push @{ $self->{jar} }, { name => $name, value => $value, path => $path } if defined $value;
    return;
}

sub forget  { $_[0]{jar} = []; return }
sub cookies { return { map { $_->{name} => $_->{value} } @{ $_[0]{jar} } } }

# What a Set-Cookie header says.
sub take_cookie {
    my ($self, $text) = @_;
    my ($pair, @attributes) = split /;\s*/, $text;
    my ($name, $value) = split /=/, $pair, 2;
    my %said = map { /^([^=]+)(?:=(.*))?$/ ? (lc $1 => $2 // 1) : () } @attributes;
    my $gone = exists $said{'max-age'} && $said{'max-age'} <= 0;
    $self->set_cookie($name, $gone ? undef : $value, $said{path});
    return { name => $name, value => $value, %said };
}

sub cookie_header {
    my ($self, $path) = @_;
    my @sent = grep { my $p = $_->{path}; $p =~ s{/$}{}; $path =~ m{^\Q$p\E(?:[/?]|$)} } @{ $self->{jar} };
    return join '; ', map { "$_->{name}=$_->{value}" } sort { length $b->{path} <=> length $a->{path} } @sent;
}

# What goes along with a request, as a hash.
sub headers_for {
    my ($self, $url, %headers) = @_;
    my ($path) = $url =~ m{^https?://[^/]+(/[^#]*)?};
    my $cookies = $self->cookie_header($path // '/');
    my %all = ('User-Agent' => $self->{agent}, Accept => 'text/html,application/xhtml+xml,*/*;q=0.8', %headers);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    $all{Cookie} = $cookies if length $cookies && !exists $headers{Cookie};
    $all{Authorization} = 'Basic ' . encode_base64($self->{user}, '')
        if $self->{user} && index($url, $self->{realm} // $url) == 0;
    return \%all;
}

sub request {
    my ($self, $method, $url, $content, %headers) = @_;
    my $got = HTTP::Tiny->new(timeout => 60, max_redirect => 0)
        ->request($method, $url, { headers => $self->headers_for($url, %headers), defined $content ? (content => $content) : () });
    my $set = $got->{headers}{'set-cookie'};
    my @set = map { $self->take_cookie($_) } ref $set ? @$set : defined $set ? $set : ();
    return { status => $got->{status}, headers => $got->{headers}, content => $got->{content}, url => $url,
        cookies => \@set, location => $got->{headers}{location} };
}

sub get {
    my ($self, $url, %headers) = @_;
    return $self->request('GET', $url, undef, %headers);
}

sub post {
    my ($self, $url, $content, %headers) = @_;
    return $self->request('POST', $url, $content // '', %headers);
}

sub follow {
    my ($self, $url, %headers) = @_;
    my @trail;
    for (1 .. 12) {
        my $got = $self->get($url, %headers);
        push @trail, $url;
        $got->{trail} = [@trail];
        return $got if $got->{status} !~ /^30[1237]$/ || !$got->{location};
        my ($origin) = $url =~ m{^(https?://[^/]+)};
        $url = $got->{location} =~ m{^/} ? $origin . $got->{location} : $got->{location};
    }
    die "no end of redirects: @trail";
}

1;
